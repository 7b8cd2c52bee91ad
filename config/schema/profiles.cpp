#include "config/schema/profiles.h"

#include <algorithm>

#include "config/schema/rules.h"
#include "config/yaml/document.h"

namespace egret::schema {
namespace {

constexpr std::string_view profile_example =
    "`{include: [npm], rules: [{allow: api.example.com}]}`";

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void read_includes(Context& context, const Node& node, Profile& profile) {
  const auto items =
      yaml::list_of(context.problems, node, "`include: [npm, pypi]`", Empty::refused);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    const std::string* name = yaml::text_of(context.problems, item, "the name of a profile");
    if (name != nullptr) profile.includes.push_back({*name, item.mark});
  }
}

constexpr Field<Profile> fields[] = {
    {"include", Need::optional, read_includes},
    {"rules", Need::optional,
     [](Context& c, const Node& n, Profile& p) { p.rules = read_rules(c, n); }},
};

}  // namespace

Profile read_profile(Context& context, const Node& node) {
  Profile profile;
  yaml::read_mapping(context, node, fields, profile_example, profile);
  if (node.kind == Node::Kind::mapping && node.keys.empty()) {
    context.problems.add(node.mark, "a profile with neither `rules` nor `include`",
                         "write `rules: []` for one that allows nothing");
  }
  return profile;
}

Profile read_shipped_profile(std::string_view name, ConfigErrors& errors) {
  yaml::Problems problems("profile " + std::string(name));
  const ConfigPlaces nowhere;
  Context context{problems, "profile " + std::string(name) + ":", "/", nowhere};
  Profile profile;
  if (const auto root = yaml::read_document(shipped_profile_text(name), problems)) {
    profile = read_profile(context, *root);
  }
  for (ConfigError& error : problems.take())
    errors.push_back(std::move(error));
  return profile;
}

void ProfileBook::read(Context& context, const Node& node) {
  const std::vector<std::string> shipped = shipped_profile_names();
  for (const auto& [key, value] :
       yaml::pairs_of(context.problems, node, "`NAME: {rules: [...]}`")) {
    read_plain_name(context, *key, "profile");
    if (contains(shipped, key->text)) {
      context.problems.add(key->mark, "`" + key->text + "` is the name of a shipped profile",
                           "choose another name; `include: [" + key->text + "]` builds on it");
    }
    of_file_.emplace(key->text, read_profile(context, *value));
  }
}

bool ProfileBook::knows(std::string_view name) const {
  return contains(known_names(), name);
}

std::vector<std::string> ProfileBook::names_of_file() const {
  std::vector<std::string> names;
  for (const auto& [name, profile] : of_file_)
    names.push_back(name);
  return names;
}

std::vector<std::string> ProfileBook::known_names() const {
  std::vector<std::string> names = names_of_file();
  for (std::string& name : shipped_profile_names()) {
    if (!contains(names, name)) names.push_back(std::move(name));
  }
  return names;
}

Profile ProfileBook::find(const std::string& name) const {
  const auto own = of_file_.find(name);
  if (own != of_file_.end()) return own->second;
  ConfigErrors errors;
  return read_shipped_profile(name, errors);
}

void ProfileBook::check_circle(Context& context, std::vector<std::string>& trail,
                               const Profile& profile, std::vector<std::string>& settled) const {
  for (const Profile::Include& include : profile.includes) {
    const auto own = of_file_.find(include.name);
    if (own == of_file_.end() || contains(settled, include.name)) continue;
    if (contains(trail, include.name)) {
      context.problems.add(include.mark,
                           "`" + include.name + "` includes itself through `" + trail.back() + "`",
                           "remove one `include` of the circle");
      continue;
    }
    trail.push_back(include.name);
    check_circle(context, trail, own->second, settled);
    trail.pop_back();
    settled.push_back(include.name);
  }
}

void ProfileBook::check_includes(Context& context) {
  const std::vector<std::string> known = known_names();
  std::vector<std::string> settled;
  for (const auto& [name, profile] : of_file_) {
    for (const Profile::Include& include : profile.includes) {
      if (contains(known, include.name)) continue;
      yaml::report_unknown(context.problems, include.mark, "profile", include.name, known);
    }
    if (contains(settled, name)) continue;
    std::vector<std::string> trail{name};
    check_circle(context, trail, profile, settled);
    settled.push_back(name);
  }
}

void ProfileBook::collect(const std::string& name, std::vector<std::string>& seen,
                          std::vector<Rule>& rules) const {
  if (contains(seen, name)) return;
  seen.push_back(name);
  Profile profile = find(name);
  for (const Profile::Include& include : profile.includes)
    collect(include.name, seen, rules);
  std::move(profile.rules.begin(), profile.rules.end(), std::back_inserter(rules));
}

std::vector<Rule> ProfileBook::rules_of(std::span<const std::string> names) const {
  std::vector<std::string> seen;
  std::vector<Rule> rules;
  for (const std::string& name : names)
    collect(name, seen, rules);
  return rules;
}

}  // namespace egret::schema
