// The one thing that an IPv6 router says to its guest (RFC 4861, RFC 8106): take an address of this
// network, send everything to me, ask me for names.
#pragma once

#include <netinet/in.h>
#include <string>

namespace egret {

// An ICMPv6 message; the kernel puts its checksum in. `gateway` is in the network, whose prefix has
// 64 bits, as address configuration wants it.
std::string router_advertisement(const in6_addr& gateway);

}  // namespace egret
