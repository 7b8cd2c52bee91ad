// Addresses of sockets as values: where a redirected connection wanted to go (ATTACKS B12, G12),
// where a socket is bound, and the addresses of this machine.
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

// Before the redirection; nothing where there was none.
std::optional<SocketAddress> captured_destination(int fd);
std::optional<SocketAddress> local_address(int fd);
// Of every interface of this machine, for the rule that none of them is an origin (A25).
std::vector<IpAddress> interface_addresses();

}  // namespace egret
