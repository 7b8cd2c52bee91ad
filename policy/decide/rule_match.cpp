#include "policy/decide/rule_match.h"

#include <algorithm>
#include <string>

namespace egret {
namespace {

constexpr std::string_view default_methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                                "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view never_methods[] = {"TRACE", "TRACK", "CONNECT"};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_but_for_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool has_port(const Rule& rule, std::uint16_t port) {
  return std::find(rule.ports.begin(), rule.ports.end(), port) != rule.ports.end();
}

std::optional<Reason> port_miss(const Rule& rule, const Target& target) {
  if (!rule.ports.empty()) {
    if (has_port(rule, target.port)) return std::nullopt;
    return Reason::port_not_allowed;
  }
  if (target.port != 80 && target.port != 443) return Reason::port_not_allowed;
  // A tunnel is opaque: its scheme is not known to us.
  if (rule.tunnel || target.port == default_port(target.scheme)) return std::nullopt;
  return Reason::scheme_not_allowed;
}

bool lists_method(const Rule& rule, std::string_view method) {
  if (rule.methods.empty()) {
    return std::find(std::begin(default_methods), std::end(default_methods), method) !=
           std::end(default_methods);
  }
  return std::any_of(rule.methods.begin(), rule.methods.end(), [&](const std::string& listed) {
    return listed == method || (listed == "GET" && method == "HEAD");
  });
}

std::optional<Reason> path_miss(const Rule& rule, const RequestPath* path) {
  if (rule.paths.empty()) return std::nullopt;
  if (path == nullptr) return Reason::path_not_allowed;
  if (!path->is_canonical()) return Reason::path_noncanonical;
  for (const PathPattern& pattern : rule.paths) {
    if (pattern.matches(path->path())) return std::nullopt;
  }
  return Reason::path_not_allowed;
}

// Names that mean a place near the gate are opened by name only, never by `*` (ATTACKS B08).
bool is_local_name(const Host& host) {
  static constexpr std::string_view suffixes[] = {".localhost", ".local", ".internal", ".arpa"};
  const std::string_view text = host.text();
  if (text.find('.') == std::string_view::npos) return true;
  return std::any_of(std::begin(suffixes), std::end(suffixes),
                     [&](std::string_view suffix) { return text.ends_with(suffix); });
}

bool denies_method(const Rule& rule, std::string_view method) {
  if (rule.methods.empty()) return true;
  return std::any_of(rule.methods.begin(), rule.methods.end(), [&](const std::string& listed) {
    return same_but_for_case(listed, method) ||
           (listed == "GET" && same_but_for_case("HEAD", method));
  });
}

bool denies_path(const Rule& rule, const RequestPath* path) {
  if (rule.paths.empty() || path == nullptr || !path->is_canonical()) return true;
  const std::string loose = lenient_path(path->path());
  return std::any_of(rule.paths.begin(), rule.paths.end(), [&](const PathPattern& pattern) {
    return pattern.matches(path->path()) || pattern.matches_folded(loose);
  });
}

}  // namespace

bool is_never_permitted(std::string_view method) {
  return std::any_of(std::begin(never_methods), std::end(never_methods),
                     [&](std::string_view never) { return same_but_for_case(never, method); });
}

std::optional<Reason> miss_of(const Rule& rule, const Question& question) {
  if (rule.host.kind() == HostPattern::Kind::any && is_local_name(question.target.host)) {
    return Reason::host_not_allowed;
  }
  const bool is_tunnel = question.kind == Question::Kind::tunnel;
  // A tunnel on other ports has nothing to do with a request on this one.
  if (rule.tunnel && !is_tunnel && !rule.ports.empty() && !has_port(rule, question.target.port))
    return Reason::port_not_allowed;
  if (rule.tunnel != is_tunnel) return Reason::protocol_denied;
  // Nobody can keep such a promise about bytes that are not looked at.
  if (is_tunnel && !(rule.methods.empty() && rule.paths.empty())) return Reason::protocol_denied;
  if (!is_tunnel && question.target.scheme == Scheme::tcp) return Reason::scheme_not_allowed;
  if (const auto miss = port_miss(rule, question.target)) return miss;
  if (question.kind != Question::Kind::request) return std::nullopt;
  if (!lists_method(rule, question.method)) return Reason::method_not_allowed;
  return path_miss(rule, question.path);
}

bool denies(const Rule& rule, const Question& question) {
  if (!rule.ports.empty() && !has_port(rule, question.target.port)) return false;
  switch (question.kind) {
    case Question::Kind::tunnel:
      return true;
    case Question::Kind::any_request:
      return rule.methods.empty() && rule.paths.empty();
    case Question::Kind::request:
      break;
  }
  return denies_method(rule, question.method) && denies_path(rule, question.path);
}

Reason reason_of_deny(const Rule& rule, const Question& question) {
  if (question.kind == Question::Kind::request && !rule.paths.empty()) {
    const bool doubtful = question.path != nullptr && !question.path->is_canonical();
    return doubtful ? Reason::path_noncanonical : Reason::path_not_allowed;
  }
  if (question.kind == Question::Kind::request && !rule.methods.empty()) {
    return Reason::method_not_allowed;
  }
  if (!rule.ports.empty()) return Reason::port_not_allowed;
  return Reason::host_not_allowed;
}

}  // namespace egret
