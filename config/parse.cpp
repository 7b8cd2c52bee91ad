#include <filesystem>

#include "config/config.h"
#include "config/schema/context.h"
#include "config/schema/listen.h"
#include "config/schema/origins.h"
#include "config/schema/profiles.h"
#include "config/schema/sandboxes.h"
#include "config/schema/secrets.h"
#include "config/yaml/document.h"
#include "config/yaml/schema.h"

namespace egret {
namespace {

using schema::Context;
using yaml::Need;
using yaml::Node;

struct Draft {
  Config& config;
  schema::ProfileBook book;
};

void read_version(Context& context, const Node& node, Draft&) {
  if (node.kind == Node::Kind::scalar && !node.quoted && node.text == "1") return;
  if (node.kind == Node::Kind::broken) return;
  context.problems.add(node.mark, "a version of the format that this Egret does not know",
                       "write `version: 1`, without quotes");
}

void read_state(Context& context, const Node& node, Draft& draft) {
  if (auto path = schema::read_path(context, node, "a folder")) draft.config.state = *path;
}

void read_workers(Context& context, const Node& node, Draft& draft) {
  constexpr int workers_max = 256;
  const auto count = yaml::integer_of(context.problems, node, 1, workers_max);
  if (count) draft.config.workers = static_cast<unsigned>(*count);
}

constexpr schema::Field<Config> audit_fields[] = {
    {"file", Need::required,
     [](Context& context, const Node& node, Config& config) {
       if (auto path = schema::read_path(context, node, "a file")) config.audit_file = *path;
     }},
};

void read_audit(Context& context, const Node& node, Draft& draft) {
  yaml::read_mapping(context, node, audit_fields, "`audit: {file: audit.jsonl}`", draft.config);
}

void read_profiles(Context& context, const Node& node, Draft& draft) {
  draft.book.read(context, node);
  draft.book.check_includes(context);
  for (const std::string& name : draft.book.names_of_file()) {
    draft.config.profiles.emplace(name, draft.book.rules_of(std::span(&name, 1)));
  }
}

SandboxConfig strict_sandbox() {
  return {
      .name = "default", .profiles = {"strict"}, .rules = {}, .secrets = {}, .source = "built in"};
}

void read_listen(Context& context, const Node& node, Draft& draft) {
  std::vector<std::string> names;
  for (const auto& [name, sandbox] : draft.config.sandboxes)
    names.push_back(name);
  if (!draft.config.sandboxes.contains("default")) names.emplace_back("default");
  draft.config.listen = schema::read_listen(context, node, names);
}

// In the order in which they refer to each other.
constexpr schema::Field<Draft> root_fields[] = {
    {"version", Need::required, read_version},
    {"workers", Need::optional, read_workers},
    {"state", Need::optional, read_state},
    {"audit", Need::optional, read_audit},
    {"origins", Need::optional,
     [](Context& c, const Node& n, Draft& d) { schema::read_origins(c, n, d.config.origins); }},
    {"secrets", Need::optional,
     [](Context& c, const Node& n, Draft& d) { d.config.secrets = schema::read_secrets(c, n); }},
    {"profiles", Need::optional, read_profiles},
    {"sandboxes", Need::optional,
     [](Context& c, const Node& n, Draft& d) {
       d.config.sandboxes = schema::read_sandboxes(c, n, d.book, d.config.secrets);
     }},
    {"listen", Need::optional, read_listen},
};

std::string default_state(const ConfigPlaces& places) {
  if (!places.xdg_state_home.empty()) return places.xdg_state_home + "/egret";
  if (!places.home.empty()) return places.home + "/.local/state/egret";
  return "/var/lib/egret";
}

void fill_defaults(Config& config, const ConfigPlaces& places) {
  if (config.state.empty()) config.state = default_state(places);
  if (config.audit_file.empty()) config.audit_file = config.state + "/audit.jsonl";
  config.sandboxes.emplace("default", strict_sandbox());
}

std::string absolute_folder(const std::string& file_name) {
  std::error_code fault;
  const auto path = std::filesystem::absolute(file_name.empty() ? "egret.yaml" : file_name, fault);
  return fault ? "/" : path.lexically_normal().parent_path().string();
}

}  // namespace

std::string ConfigError::text() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line) + ":" + std::to_string(column);
  text += ": " + what;
  return instead.empty() ? text : text + "; " + instead;
}

Result<Config, ConfigErrors> parse_config(std::string_view text, const std::string& file_name,
                                          const ConfigPlaces& places) {
  yaml::Problems problems(file_name);
  Config config;
  config.file = file_name;
  if (const auto root = yaml::read_document(text, problems)) {
    const std::string base_name = std::filesystem::path(file_name).filename().string();
    Context context{problems, base_name + ":", absolute_folder(file_name), places};
    Draft draft{config, {}};
    yaml::read_mapping(context, *root, root_fields, "`version: 1`", draft);
  }
  if (!problems.empty()) return problems.take();
  fill_defaults(config, places);
  return config;
}

Config default_config(const ConfigPlaces& places) {
  Config config;
  fill_defaults(config, places);
  return config;
}

}  // namespace egret
