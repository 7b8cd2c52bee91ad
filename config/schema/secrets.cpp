#include "config/schema/secrets.h"

#include <sstream>

#include "config/schema/hosts.h"

namespace egret::schema {
namespace {

constexpr std::string_view secret_example =
    "`from: env:GITHUB_TOKEN` and `hosts: [api.github.com]`";
constexpr std::string_view from_example =
    "`env:NAME`, `file:PATH`, `credential:NAME` or `exec:/path/to/program words`";

struct Draft {
  std::optional<SecretSource> from;
  std::vector<HostPattern> hosts;
  std::vector<Place> in{Place{}};
  Foreign foreign = Foreign::refuse;
};

std::optional<SecretSource> env_source(Context& context, const Node& node,
                                       const std::string& rest) {
  if (is_variable_name(rest)) return SecretSourceEnv{rest};
  context.problems.add(node.mark, "`" + rest + "` is not the name of an environment variable",
                       "write `env:NAME`, without `$`");
  return std::nullopt;
}

std::optional<SecretSource> file_source(Context& context, const Node& node,
                                        const std::string& rest) {
  auto path = path_from(context, node.mark, rest);
  if (!path) return std::nullopt;
  return SecretSourceFile{std::move(*path)};
}

// The name of one file in one folder, never a path.
std::optional<SecretSource> credential_source(Context& context, const Node& node,
                                              const std::string& rest) {
  constexpr std::size_t name_bytes_max = 255;
  constexpr std::string_view known =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  const bool plain = rest.find_first_not_of(known) == std::string::npos;
  if (!rest.empty() && rest.size() <= name_bytes_max && plain && rest[0] != '.')
    return SecretSourceCredential{rest};
  context.problems.add(node.mark, "`credential:` without the name of a credential",
                       "write `credential:github-token` for `LoadCredential=github-token:/path` "
                       "in the unit; letters, digits, `_`, `-` and `.`");
  return std::nullopt;
}

// Split at spaces, no shell: what would need one is refused rather than passed on as it stands.
std::optional<SecretSource> exec_source(Context& context, const Node& node,
                                        const std::string& rest) {
  if (rest.find_first_of("\"'\\`$|&;<>*?(){}") != std::string::npos) {
    context.problems.add(node.mark, "`exec:` with quotes or shell characters",
                         "write the program and its words with single spaces (no shell reads "
                         "them), or put the command into a script");
    return std::nullopt;
  }
  SecretSourceExec source;
  std::istringstream words(rest);
  for (std::string word; words >> word;)
    source.argv.push_back(std::move(word));
  if (source.argv.empty() ||
      !(source.argv[0].starts_with('/') || source.argv[0].starts_with("~/"))) {
    context.problems.add(node.mark, "`exec:` without the full path of a program",
                         "write it as `exec:/usr/bin/gh auth token`");
    return std::nullopt;
  }
  auto program = path_from(context, node.mark, source.argv[0]);
  if (!program) return std::nullopt;
  source.argv[0] = std::move(*program);
  return source;
}

void read_from(Context& context, const Node& node, Draft& secret) {
  const std::string* text = yaml::text_of(context.problems, node, from_example);
  if (text == nullptr) return;
  const std::size_t colon = text->find(':');
  const std::string scheme = text->substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text->substr(colon + 1);
  if (scheme == "env" && colon != std::string::npos)
    secret.from = env_source(context, node, rest);
  else if (scheme == "file" && colon != std::string::npos)
    secret.from = file_source(context, node, rest);
  else if (scheme == "credential" && colon != std::string::npos)
    secret.from = credential_source(context, node, rest);
  else if (scheme == "exec" && colon != std::string::npos)
    secret.from = exec_source(context, node, rest);
  else {
    // Not echoed: it may be the secret itself.
    context.problems.add(
        node.mark, "`from` names no source",
        "write " + std::string(from_example) + "; a value never stands in the file");
  }
}

void read_hosts(Context& context, const Node& node, Draft& secret) {
  const auto items =
      yaml::list_of(context.problems, node, "`hosts: [api.github.com]`", Empty::refused);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    if (auto host = read_host(context, item, HostUse::secret))
      secret.hosts.push_back(std::move(*host));
  }
}

void read_places(Context& context, const Node& node, Draft& secret) {
  const auto items = yaml::list_of(context.problems, node, "`in: [header]`", Empty::refused);
  refuse_repeated(context, items);
  secret.in.clear();
  for (const Node& item : items) {
    const std::string* text = yaml::text_of(context.problems, item, "`header`");
    if (text == nullptr) continue;
    auto place = Place::parse(*text);
    if (place)
      secret.in.push_back(std::move(*place));
    else
      context.problems.add(item.mark, place.error().what, place.error().instead);
  }
}

void read_foreign(Context& context, const Node& node, Draft& secret) {
  const std::string* text = yaml::text_of(context.problems, node, "`refuse` or `allow`");
  if (text == nullptr) return;
  if (*text == "allow")
    secret.foreign = Foreign::allow;
  else if (*text != "refuse")
    yaml::report_unknown(context.problems, node.mark, "choice", *text, {"refuse", "allow"});
}

constexpr Field<Draft> fields[] = {
    {"from", Need::required, read_from},
    {"hosts", Need::required, read_hosts},
    {"in", Need::optional, read_places},
    {"foreign", Need::optional, read_foreign},
};

}  // namespace

bool is_variable_name(std::string_view text) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  return !text.empty() && letters.find(text[0]) != std::string_view::npos &&
         text.find_first_not_of(std::string(letters) + "0123456789") == std::string_view::npos;
}

std::map<std::string, SecretConfig> read_secrets(Context& context, const Node& node) {
  std::map<std::string, SecretConfig> secrets;
  for (const auto& [key, value] :
       yaml::pairs_of(context.problems, node, "`NAME: {from: ..., hosts: [...]}`")) {
    if (!is_variable_name(key->text)) {
      context.problems.add(key->mark, "`" + key->text + "` cannot be an environment variable",
                           "write the variable that the sandbox shall see, such as GITHUB_TOKEN");
    }
    Draft draft;
    yaml::read_mapping(context, *value, fields, secret_example, draft);
    // Kept although faulty, so that references to it are no second error; the file is not used.
    secrets.emplace(key->text, SecretConfig{.name = key->text,
                                            .from = std::move(draft.from).value_or(SecretSource{}),
                                            .hosts = std::move(draft.hosts),
                                            .in = std::move(draft.in),
                                            .foreign = draft.foreign,
                                            .source = context.source_of(key->mark)});
  }
  return secrets;
}

}  // namespace egret::schema
