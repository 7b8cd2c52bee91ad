// Where a guest asks for its addresses: sockets made on the guest's device and held by the gate, as
// the NamespaceSockets are.
#pragma once

#include <string>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

struct GuestSockets {
  UniqueFd dhcp;    // UDP, port 67
  UniqueFd router;  // ICMPv6, hears router solicitations only; empty where the kernel has no IPv6
};

// REQUIRES: CAP_NET_RAW and CAP_NET_BIND_SERVICE over the current network namespace; the device is
// up.
Result<GuestSockets, SetupFault> open_guest_sockets(const std::string& device);

// On the channel, right after the NamespaceSockets.
Result<void, SetupFault> send_guest_sockets(const UniqueFd& channel, const GuestSockets& sockets);
Result<GuestSockets, SetupFault> receive_guest_sockets(const UniqueFd& channel);

}  // namespace egret
