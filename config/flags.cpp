#include <algorithm>

#include "config/config.h"
#include "config/schema/context.h"
#include "config/schema/hosts.h"
#include "config/schema/profiles.h"
#include "config/shipped.h"

namespace egret {
namespace {

struct HostAndPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

// One colon divides host and port; several are an IPv6 literal, which needs brackets for a port.
HostAndPort split_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end != std::string_view::npos && (end + 1 == text.size() || text[end + 1] == ':')) {
      HostAndPort split{text.substr(1, end - 1), std::nullopt};
      if (end + 1 < text.size()) split.port = text.substr(end + 2);
      return split;
    }
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
    return {text, std::nullopt};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text[0] == '0') return std::nullopt;
  unsigned port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

}  // namespace

Result<Rule, ConfigError> rule_from_flag(std::string_view allow_flag) {
  const HostAndPort split = split_port(allow_flag);
  auto host = schema::parse_host(split.host, schema::HostUse::allow);
  // A path or a scheme holds colons too: explain the text as it was given.
  if (!host && split.port && !parse_port(*split.port)) {
    host = schema::parse_host(allow_flag, schema::HostUse::allow);
  }
  if (!host) {
    PatternFault fault = host.error();
    if (schema::parse_host(split.host, schema::HostUse::allow_dangerously)) {
      fault.instead =
          "name the hosts; only a rule in a file or `--profile permissive` opens so much";
    }
    return ConfigError{"--allow", 0, 0, fault.what, fault.instead};
  }
  Rule rule{.effect = Effect::allow,
            .host = std::move(*host),
            .ports = {},
            .methods = {},
            .paths = {},
            .tunnel = false,
            .source = "--allow"};
  if (!split.port) return rule;
  const auto port = parse_port(*split.port);
  if (!port) {
    return ConfigError{"--allow", 0, 0, "`" + std::string(*split.port) + "` is not a port",
                       "write HOST or HOST:PORT, such as api.example.com:8443"};
  }
  rule.ports.push_back(*port);
  return rule;
}

Result<std::vector<Rule>, ConfigError> rules_of_profile(const Config& config,
                                                        std::string_view name) {
  const auto own = config.profiles.find(std::string(name));
  if (own != config.profiles.end()) return own->second;
  const schema::ProfileBook shipped;
  if (shipped.knows(name)) {
    const std::string key(name);
    return shipped.rules_of(std::span(&key, 1));
  }
  std::vector<std::string> known;
  for (const auto& [known_name, rules] : config.profiles)
    known.push_back(known_name);
  for (std::string& shipped_name : shipped_profile_names())
    known.push_back(std::move(shipped_name));
  yaml::Problems problems("--profile");
  yaml::report_unknown(problems, {}, "profile", name, known);
  ConfigError error = problems.take().front();
  error.line = error.column = 0;
  return error;
}

std::vector<std::string> shipped_profile_names() {
  std::vector<std::string> names;
  for (const ShippedProfile& profile : shipped_profiles())
    names.emplace_back(profile.name);
  return names;
}

std::string_view shipped_profile_text(std::string_view name) {
  for (const ShippedProfile& profile : shipped_profiles()) {
    if (profile.name == name) return profile.text;
  }
  return {};
}

}  // namespace egret
