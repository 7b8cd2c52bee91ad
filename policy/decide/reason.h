// Why something was decided as it was: the closed list of reasons, and nothing else ever stands in
// the `reason` field of a record or a denial (ATTACKS part 0).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace egret {

enum class Reason : std::uint8_t {
  rule,  // allowed by a rule; every other reason denies
  host_malformed,
  host_not_allowed,
  host_ip_literal,
  port_not_allowed,
  scheme_not_allowed,
  method_not_allowed,
  path_noncanonical,
  path_not_allowed,
  authority_mismatch,
  sni_missing,
  sni_mismatch,
  not_tls,
  tls_handshake_failed,
  addr_forbidden,
  dns_failed,
  framing_invalid,
  header_invalid,
  limit_connections,
  limit_head_bytes,
  limit_header_fields,
  limit_uri_bytes,
  limit_body_bytes,
  limit_time,
  limit_dns_names,
  limit_rate,
  upgrade_denied,
  protocol_denied,
  secret_scope,
  secret_location,
  secret_unresolved,
  secret_insecure,
  secret_reflected,
  body_unreadable,  // has to be searched for secrets and cannot be
  foreign_credential,
  upstream_tls,
  upstream_framing,
  upstream_unreachable,
  upstream_timeout,
  loop,
  identity_missing,
  identity_mismatch,
  audit_unavailable,
  policy_changed,
  client_gone,
  internal,
  h2_error,
  h2_abuse,
};

// `host_not_allowed`, `limit:connections`, …
std::string_view name(Reason reason);
std::optional<Reason> reason_named(std::string_view name);

}  // namespace egret
