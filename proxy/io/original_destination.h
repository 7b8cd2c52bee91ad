// Where a redirected connection wanted to go before nftables sent it to us (ATTACKS B12, G12).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/target/address.h"

namespace egret {

struct SocketAddress {
  IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const SocketAddress&) const = default;
};

// SO_ORIGINAL_DST or IP6T_SO_ORIGINAL_DST; nothing where the connection was not redirected.
std::optional<SocketAddress> original_destination(int fd);
std::optional<SocketAddress> local_address(int fd);
// Of every interface of this machine, for the rule that none of them is an origin (A25).
std::vector<IpAddress> interface_addresses();

}  // namespace egret
