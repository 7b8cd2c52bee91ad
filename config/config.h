// egret.yaml as typed values. Every error is found and reported at once, with file, line and
// column, what is wrong and what to write instead; a file with one error is not used at all
// (ATTACKS J04).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/decide/address_gate.h"
#include "policy/decide/rule.h"
#include "policy/result.h"
#include "policy/secret/grant.h"
#include "policy/secret/secret.h"
#include "policy/target/host.h"

namespace egret {

struct ConfigError {
  std::string file;
  int line = 0;  // from 1; 0: the file as a whole
  int column = 0;
  std::string what;
  std::string instead;
  // egret.yaml:14:9: unknown key `alow`; write `allow` (known: `allow`, `deny`, ...)
  std::string text() const;
};
using ConfigErrors = std::vector<ConfigError>;

struct ListenTcp {
  std::string address;     // IP literal, IPv6 without brackets
  std::uint16_t port = 0;  // 0: any free one
};
struct ListenUnix {
  std::string path;
};
struct ListenRedirect {
  std::string address;
  std::uint16_t port = 0;
};
struct Listen {
  std::variant<ListenTcp, ListenUnix, ListenRedirect> where;
  std::optional<std::string> sandbox;  // none: credentials name the sandbox
  std::string source;                  // `egret.yaml:4`
};

struct SecretSourceEnv {
  std::string variable;
};
struct SecretSourceFile {
  std::string path;
};
struct SecretSourceExec {
  std::vector<std::string> argv;
};
// What a service manager keeps for this service: a file of $CREDENTIALS_DIRECTORY (systemd's
// LoadCredential=).
struct SecretSourceCredential {
  std::string credential;
};
using SecretSource =
    std::variant<SecretSourceEnv, SecretSourceFile, SecretSourceExec, SecretSourceCredential>;

struct SecretConfig {
  std::string name;
  SecretSource from;
  std::vector<HostPattern> hosts;  // at least one; never a wildcard at or above a public suffix
  std::vector<Place> in;           // default: header
  Foreign foreign = Foreign::refuse;
  std::string source;
};

struct SandboxConfig {
  std::string name;
  std::vector<std::string> profiles;  // shipped or from `profiles:`; all resolved
  std::vector<Rule> rules;            // effective: its profiles' rules, then its own
  std::vector<std::string> secrets;   // names in Config::secrets
  std::string source;
};

// `origins.via`: the HTTP proxy behind which the network lies.
struct ViaConfig {
  Host host;
  std::uint16_t port = 0;
  std::shared_ptr<const Secret> authorization;  // value of Proxy-Authorization; may be null
  std::string source;
};

// One of `origins.client_certs`. Both files are PEM and may be the same one.
struct ClientCertConfig {
  std::vector<HostPattern> hosts;  // at least one; no host is in two entries
  std::string cert_file;           // paths like those of ca_files
  std::string key_file;
  std::string source;
};

struct OriginsConfig {
  std::vector<std::string> ca_files;  // absolute, or relative to the config file (made absolute)
  std::vector<ResolvePin> resolve;
  std::vector<Cidr> allow_addresses;
  std::optional<ViaConfig> via;
  std::vector<HostPattern> bypass;  // reached without it
  std::vector<ClientCertConfig> client_certs;
};

struct Config {
  std::string file;  // empty: built-in defaults
  std::vector<Listen> listen;
  std::optional<unsigned> workers;
  std::string
      state;  // absolute; `~` expanded; default $XDG_STATE_HOME/egret or ~/.local/state/egret
  std::string audit_file;  // absolute; default <state>/audit.jsonl
  OriginsConfig origins;
  std::map<std::string, SecretConfig> secrets;
  std::map<std::string, std::vector<Rule>> profiles;  // from the file only
  std::map<std::string, SandboxConfig> sandboxes;     // always holds `default` (profile strict)
};

// What the world supplies: home and state directories (values of HOME, XDG_STATE_HOME).
struct ConfigPlaces {
  std::string home;
  std::string xdg_state_home;   // may be empty
  std::string xdg_config_home;  // may be empty
};

Result<Config, ConfigErrors> parse_config(std::string_view yaml, const std::string& file_name,
                                          const ConfigPlaces& places);
// Reads a regular file of at most 1 MiB that no other user can write, then parses it.
Result<Config, ConfigErrors> load_config(const std::string& path, const ConfigPlaces& places);
Config default_config(const ConfigPlaces& places);
// --config, else ./egret.yaml, else $XDG_CONFIG_HOME/egret/egret.yaml, else none.
std::optional<std::string> find_config(const std::optional<std::string>& given,
                                       const ConfigPlaces& places);

// `--profile P`: a profile of the file, else a shipped one. The error lists what there is.
Result<std::vector<Rule>, ConfigError> rules_of_profile(const Config& config,
                                                        std::string_view name);
// `--allow HOST`: host pattern with an optional `:port`.
Result<Rule, ConfigError> rule_from_flag(std::string_view allow_flag);
// `--secret NAME` without an entry in the file: the well-known ones (GITHUB_TOKEN, GH_TOKEN,
// ANTHROPIC_API_KEY, CLAUDE_CODE_OAUTH_TOKEN, OPENAI_API_KEY, GEMINI_API_KEY, NPM_TOKEN, …) from
// the environment variable of that name, with their hosts and places.
std::optional<SecretConfig> well_known_secret(std::string_view name);
std::vector<std::string> well_known_secret_names();

std::vector<std::string> shipped_profile_names();
std::string_view shipped_profile_text(
    std::string_view name);  // the YAML, with its comments; else empty

// The effective policy of a sandbox as text, one rule a line with where it came from.
std::string show_config(const Config& config, const std::optional<std::string>& sandbox);

// Every setting that opens more than is wise, one line each, for the start-up message and the
// audit's start record (ATTACKS J05): wide wildcards, foreign credentials, tunnels, listeners
// beyond loopback that ask for no credentials.
std::vector<std::string> dangerous_settings(const Config& config);

}  // namespace egret
