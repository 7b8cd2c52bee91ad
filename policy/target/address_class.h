// What kind of place an IP address is: one table, longest prefix first (IANA special-purpose
// registries, ATTACKS B02, B04, B11). IPv4 inside IPv6 (mapped, compatible) is unwrapped first;
// 6to4, Teredo and NAT64 prefixes are `reserved`; IPv6 outside 2000::/3 is never `global`.
#pragma once

#include <string_view>

#include "policy/target/address.h"

namespace egret {

enum class AddressClass {
  global,  // the only class that may be dialled without being opened on purpose
  loopback,
  private_use,  // RFC 1918, RFC 4193, RFC 6598
  link_local,
  metadata,  // cloud metadata and host identity: refused whatever a rule says
  multicast,
  unspecified,
  documentation,  // documentation and benchmarking ranges
  reserved,
};

AddressClass classify(const IpAddress& address);
std::string_view name(AddressClass address_class);
// The IPv4 address inside a mapped (::ffff:0:0/96) or compatible (::/96) IPv6 address, else itself.
IpAddress unwrapped(const IpAddress& address);

}  // namespace egret
