// HTTP messages as values, independent of the version on the wire (RFC 9110). A codec makes them
// from validated bytes and serialises them afresh; no byte of a peer's framing is ever relayed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/decide/reason.h"
#include "proxy/wire/fields.h"

namespace egret {

enum class Version : std::uint8_t { http10, http11, http2 };
std::string_view name(Version version);  // `1.0`, `1.1`, `2`

enum class TargetForm : std::uint8_t { origin, absolute, authority, asterisk };

struct RequestHead {
  std::string method;  // a token, case kept
  std::string target;  // as it came, in this form
  TargetForm form = TargetForm::origin;
  Version version = Version::http11;
  bool sensitive_target = false;  // a secret is in it: never into a compression table
  FieldList fields;
};

struct ResponseHead {
  int status = 0;      // 100-599
  std::string reason;  // may be empty
  Version version = Version::http11;
  FieldList fields;
};

// How long a body is, decided once from a validated head (RFC 9112 6.3).
struct BodyLength {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t bytes = 0;
  bool operator==(const BodyLength&) const = default;
};

// A peer broke the rules, or a limit. `status` is what a client is told if it was the client; an
// origin's fault is always 502.
struct WireFault {
  int status = 400;
  Reason reason = Reason::framing_invalid;
  const char* what = "";  // constant text, never a byte of the peer's
};
// The same fault, where the peer was the origin: 502, upstream_framing.
inline WireFault origin_fault(const WireFault& fault) {
  return {502, Reason::upstream_framing, fault.what};
}

}  // namespace egret
