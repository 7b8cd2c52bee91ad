// Where a request wants to go: canonical scheme + host + port. Made once per request from outside
// text; policy, DNS, dialling, SNI, certificate check, Host field, secret scope and audit use it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/target/host.h"

namespace egret {

enum class Scheme : std::uint8_t {
  http,
  https,
  tcp
};  // tcp: a tunnel that carries no HTTP we read
std::string_view name(Scheme scheme);
std::uint16_t default_port(Scheme scheme);  // 80, 443, 0

enum class TargetFault { bad_host, bad_port, userinfo, missing_port };
std::string_view describe(TargetFault fault);

struct Authority {
  Host host;
  std::optional<std::uint16_t> port;  // as written; 1-65535, no leading zero
};
// RFC 9110 4.2 without userinfo: `host`, `host:port`, `[v6]`, `[v6]:port`. `host:` is refused.
Result<Authority, TargetFault> parse_authority(std::string_view text);

struct Target {
  Scheme scheme;
  Host host;
  std::uint16_t port;

  // For a Host field: the port only where it is not the scheme's default (ATTACKS A05).
  std::string authority() const;
  // `https://api.github.com:443`, for people.
  std::string text() const;
  bool operator==(const Target&) const = default;
};

}  // namespace egret
