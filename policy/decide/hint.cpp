#include "policy/decide/hint.h"

#include <algorithm>

namespace egret {
namespace {

std::string at(std::string_view rule) {
  return rule.empty() ? std::string("a rule for this host") : "the rule at " + std::string(rule);
}

// IPv6 needs quotes in YAML.
std::string in_yaml(const Host& host) {
  return host.text().find(':') == std::string::npos ? host.text() : "'" + host.text() + "'";
}

std::string how_to_allow(const Host& host) {
  return "add \"- allow: " + in_yaml(host) +
         "\" to the sandbox's rules in egret.yaml, or run with " + "--allow " + host.text();
}

// The agent chose the method's bytes, so only the usual ones are repeated.
std::string method_text(std::string_view method) {
  static constexpr std::string_view usual[] = {"GET",   "HEAD",   "POST",   "PUT",
                                               "PATCH", "DELETE", "OPTIONS"};
  const bool known = std::find(std::begin(usual), std::end(usual), method) != std::end(usual);
  return known ? std::string(method) : std::string("the method");
}

}  // namespace

std::string hint_for(Reason reason, const Question& question, std::string_view rule) {
  const Target& target = question.target;
  switch (reason) {
    case Reason::host_not_allowed:
      return how_to_allow(target.host);
    case Reason::host_ip_literal:
      return "use the host's name, or " + how_to_allow(target.host) + " to open this very address";
    case Reason::port_not_allowed:
      return "list " + std::to_string(target.port) + " under \"ports:\" of " + at(rule);
    case Reason::scheme_not_allowed:
      return "use http on port 80 and https on port 443, or list " + std::to_string(target.port) +
             " under \"ports:\" of " + at(rule);
    case Reason::method_not_allowed:
      if (is_never_permitted(question.method)) return "this method is never permitted";
      return "list " + method_text(question.method) + " under \"methods:\" of " + at(rule);
    case Reason::path_not_allowed:
      return "add a pattern for this path under \"paths:\" of " + at(rule);
    case Reason::path_noncanonical:
      return "ask for the path without dot segments, double slashes and needless percent-encoding";
    case Reason::protocol_denied:
      return question.kind == Question::Kind::tunnel
                 ? "write \"tunnel: true\" in " + at(rule) + " to relay without interception"
                 : at(rule) +
                       " allows an opaque tunnel only; remove \"tunnel: true\" to allow requests";
    default:
      return "see egret.yaml";
  }
}

std::string hint_for_deny(const Rule& rule) {
  return "remove or narrow the deny rule at " + rule.source;
}

}  // namespace egret
