#include "policy/target/target.h"

namespace egret {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text[0] == '0') return std::nullopt;
  std::uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::string_view name(Scheme scheme) {
  switch (scheme) {
    case Scheme::http:
      return "http";
    case Scheme::https:
      return "https";
    case Scheme::tcp:
      return "tcp";
  }
  return "tcp";
}

std::uint16_t default_port(Scheme scheme) {
  switch (scheme) {
    case Scheme::http:
      return 80;
    case Scheme::https:
      return 443;
    case Scheme::tcp:
      return 0;
  }
  return 0;
}

std::string_view describe(TargetFault fault) {
  switch (fault) {
    case TargetFault::bad_host:
      return "the host is malformed";
    case TargetFault::bad_port:
      return "a port is a number from 1 to 65535 without leading zeros";
    case TargetFault::userinfo:
      return "user information before `@` is not accepted";
    case TargetFault::missing_port:
      return "the port after `:` is missing";
  }
  return "the target is malformed";
}

Result<Authority, TargetFault> parse_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) return TargetFault::userinfo;
  std::size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return TargetFault::bad_host;
    host_end = bracket + 1;
  }
  auto host = Host::parse(text.substr(0, host_end));
  if (!host) return TargetFault::bad_host;
  if (host_end >= text.size()) return Authority{std::move(*host), std::nullopt};

  if (text[host_end] != ':') return TargetFault::bad_host;
  const std::string_view digits = text.substr(host_end + 1);
  if (digits.empty()) return TargetFault::missing_port;
  const auto port = parse_port(digits);
  if (!port) return TargetFault::bad_port;
  return Authority{std::move(*host), port};
}

std::string Target::authority() const {
  std::string text = host.authority_text();
  if (port != default_port(scheme)) text += ":" + std::to_string(port);
  return text;
}

std::string Target::text() const {
  return std::string(name(scheme)) + "://" + host.authority_text() + ":" + std::to_string(port);
}

}  // namespace egret
