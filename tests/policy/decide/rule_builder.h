// Rules and targets in one line each, for tests.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "policy/decide/policy.h"
#include "policy/target/target.h"

namespace egret::test {

struct RuleBuilder {
  Rule rule;

  RuleBuilder& ports(std::vector<std::uint16_t> ports) {
    rule.ports = std::move(ports);
    return *this;
  }
  RuleBuilder& methods(std::vector<std::string> methods) {
    rule.methods = std::move(methods);
    return *this;
  }
  RuleBuilder& paths(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      auto pattern = PathPattern::parse(path);
      REQUIRE_MESSAGE(pattern.has_value(), path);
      rule.paths.push_back(std::move(*pattern));
    }
    return *this;
  }
  RuleBuilder& tunnel() {
    rule.tunnel = true;
    return *this;
  }
  RuleBuilder& at(std::string source) {
    rule.source = std::move(source);
    return *this;
  }
  operator Rule() const { return rule; }
};

inline HostPattern pattern(std::string_view text) {
  auto parsed = HostPattern::parse(text, Wildcards::any);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return std::move(*parsed);
}

inline RuleBuilder allow(std::string_view host) {
  return {Rule{Effect::allow, pattern(host), {}, {}, {}, false, "allow " + std::string(host)}};
}

inline RuleBuilder deny(std::string_view host) {
  return {Rule{Effect::deny, pattern(host), {}, {}, {}, false, "deny " + std::string(host)}};
}

inline Host host(std::string_view text) {
  auto parsed = Host::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return std::move(*parsed);
}

// `https://a.example`, `http://a.example:8080`, `tcp://[::1]:22`
inline Target target(std::string_view url) {
  const std::size_t colon = url.find("://");
  REQUIRE(colon != std::string_view::npos);
  const std::string_view scheme_name = url.substr(0, colon);
  const Scheme scheme = scheme_name == "http"    ? Scheme::http
                        : scheme_name == "https" ? Scheme::https
                                                 : Scheme::tcp;
  auto authority = parse_authority(url.substr(colon + 3));
  REQUIRE_MESSAGE(authority.has_value(), url);
  return Target{scheme, authority->host, authority->port.value_or(default_port(scheme))};
}

}  // namespace egret::test
