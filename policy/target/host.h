// A canonical host: a DNS name as lower-case A-labels without a trailing dot, or an IP literal.
// The only way from outside text to anything that policy, DNS, TLS or audit uses (ATTACKS A01-A14).
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/target/address.h"

namespace egret {

enum class HostFault {
  empty,
  too_long,        // a name over 253 or a label over 63 octets
  forbidden_byte,  // anything but letters, digits, `-`, `_`, `.`; NUL, `%`, `@` and non-ASCII among
                   // them
  empty_label,     // leading dot, two dots, more than one trailing dot
  bad_label,       // a label that begins or ends with `-`
  bad_a_label,     // `xn--` that does not round-trip through punycode
  bad_address,     // brackets around no IPv6 literal, a zone id, or a name whose last label is a
                   // number
};
std::string_view describe(HostFault fault);

class Host {
 public:
  // From the wire: case is folded, one trailing dot is removed, nothing else is repaired. An IPv6
  // literal needs its brackets, as in an authority.
  static Result<Host, HostFault> parse(std::string_view text);
  static Host from_address(const IpAddress& address);

  bool is_address() const { return address_.has_value(); }
  const std::optional<IpAddress>& address() const { return address_; }
  // Canonical text: `api.github.com`, `192.0.2.1`, `2001:db8::1` (no brackets). Never empty, never
  // begins with a dot.
  const std::string& text() const { return text_; }
  // As in an authority: an IPv6 literal in brackets.
  std::string authority_text() const;

  bool operator==(const Host& other) const { return text_ == other.text_; }
  auto operator<=>(const Host& other) const { return text_ <=> other.text_; }

 private:
  Host() = default;
  std::string text_;
  std::optional<IpAddress> address_;
};

}  // namespace egret
