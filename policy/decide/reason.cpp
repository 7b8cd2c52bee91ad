#include "policy/decide/reason.h"

#include <cstddef>

namespace egret {
namespace {

// In the order of the enumeration.
constexpr std::string_view names[] = {
    "rule",
    "host_malformed",
    "host_not_allowed",
    "host_ip_literal",
    "port_not_allowed",
    "scheme_not_allowed",
    "method_not_allowed",
    "path_noncanonical",
    "path_not_allowed",
    "authority_mismatch",
    "sni_missing",
    "sni_mismatch",
    "not_tls",
    "tls_handshake_failed",
    "addr_forbidden",
    "dns_failed",
    "framing_invalid",
    "header_invalid",
    "limit:connections",
    "limit:head_bytes",
    "limit:header_fields",
    "limit:uri_bytes",
    "limit:body_bytes",
    "limit:time",
    "limit:dns_names",
    "limit:rate",
    "upgrade_denied",
    "protocol_denied",
    "secret_scope",
    "secret_location",
    "secret_unresolved",
    "secret_insecure",
    "secret_reflected",
    "body_unreadable",
    "foreign_credential",
    "upstream_tls",
    "upstream_framing",
    "upstream_unreachable",
    "upstream_timeout",
    "loop",
    "identity_missing",
    "identity_mismatch",
    "audit_unavailable",
    "policy_changed",
    "client_gone",
    "internal",
    "h2_error",
    "h2_abuse",
};
constexpr std::size_t count = sizeof(names) / sizeof(names[0]);
static_assert(count == static_cast<std::size_t>(Reason::h2_abuse) + 1);

}  // namespace

std::string_view name(Reason reason) {
  const auto index = static_cast<std::size_t>(reason);
  return index < count ? names[index] : "internal";
}

std::optional<Reason> reason_named(std::string_view name) {
  for (std::size_t i = 0; i < count; ++i) {
    if (names[i] == name) return static_cast<Reason>(i);
  }
  return std::nullopt;
}

}  // namespace egret
