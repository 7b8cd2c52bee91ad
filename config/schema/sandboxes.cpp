#include "config/schema/sandboxes.h"

#include "config/schema/hosts.h"
#include "config/schema/rules.h"

namespace egret::schema {
namespace {

struct Draft {
  std::vector<std::string> profiles;
  std::vector<Rule> rules;
  std::vector<const Node*> secrets;
};

struct Reading {
  Context& context;
  yaml::Problems& problems;
  const ProfileBook& book;
  std::map<std::string, SecretConfig>& secrets;
};

using SandboxField = yaml::Field<Draft, Reading>;

void read_profiles(Reading& in, const Node& node, Draft& sandbox) {
  const auto items = yaml::list_of(in.problems, node, "`profiles: [strict]`", Empty::allowed);
  refuse_repeated(in.context, items);
  for (const Node& item : items) {
    const std::string* name = yaml::text_of(in.problems, item, "the name of a profile");
    if (name == nullptr) continue;
    if (in.book.knows(*name))
      sandbox.profiles.push_back(*name);
    else
      yaml::report_unknown(in.problems, item.mark, "profile", *name, in.book.known_names());
  }
}

void read_secret_names(Reading& in, const Node& node, Draft& sandbox) {
  const auto items = yaml::list_of(in.problems, node, "`secrets: [GITHUB_TOKEN]`", Empty::allowed);
  refuse_repeated(in.context, items);
  for (const Node& item : items) {
    const std::string* name = yaml::text_of(in.problems, item, "the name of a secret");
    if (name == nullptr) continue;
    if (!in.secrets.contains(*name)) {
      if (auto known = well_known_secret(*name)) in.secrets.emplace(*name, std::move(*known));
    }
    if (in.secrets.contains(*name)) {
      sandbox.secrets.push_back(&item);
      continue;
    }
    std::vector<std::string> names;
    for (const auto& [known, secret] : in.secrets)
      names.push_back(known);
    yaml::report_unknown(in.problems, item.mark, "secret", *name, names);
  }
}

constexpr SandboxField fields[] = {
    {"profiles", Need::optional, read_profiles},
    {"rules", Need::optional,
     [](Reading& in, const Node& n, Draft& s) { s.rules = read_rules(in.context, n); }},
    {"secrets", Need::optional, read_secret_names},
};

// Inside a tunnel nothing is read, so a placeholder would go out as it is: it could never work.
void check_tunnels(Reading& in, const Draft& draft, const std::vector<Rule>& rules) {
  for (const Node* node : draft.secrets) {
    for (const Rule& rule : rules) {
      if (!rule.tunnel) continue;
      for (const HostPattern& host : in.secrets.at(node->text).hosts) {
        if (!overlap(host, rule.host)) continue;
        in.problems.add(node->mark,
                        "the secret `" + node->text + "` is for `" + host.text() + "`, which " +
                            rule.source + " relays as a tunnel",
                        "remove the secret or `tunnel: true`; nothing can be put into a tunnel");
      }
    }
  }
}

}  // namespace

std::map<std::string, SandboxConfig> read_sandboxes(Context& context, const Node& node,
                                                    const ProfileBook& profiles,
                                                    std::map<std::string, SecretConfig>& secrets) {
  Reading in{context, context.problems, profiles, secrets};
  std::map<std::string, SandboxConfig> sandboxes;
  for (const auto& [key, value] :
       yaml::pairs_of(in.problems, node, "`NAME: {profiles: [strict], rules: [], secrets: []}`")) {
    read_plain_name(context, *key, "sandbox");
    Draft draft;
    yaml::read_mapping(in, *value, fields, "`{profiles: [strict]}`", draft);
    SandboxConfig sandbox{.name = key->text,
                          .profiles = draft.profiles,
                          .rules = profiles.rules_of(draft.profiles),
                          .secrets = {},
                          .source = context.source_of(key->mark)};
    sandbox.rules.insert(sandbox.rules.end(), draft.rules.begin(), draft.rules.end());
    for (const Node* secret : draft.secrets)
      sandbox.secrets.push_back(secret->text);
    check_tunnels(in, draft, sandbox.rules);
    sandboxes.emplace(key->text, std::move(sandbox));
  }
  return sandboxes;
}

}  // namespace egret::schema
