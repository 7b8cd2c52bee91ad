// Proves that the rules hold for what a guest sends, by being the guest on its device for a moment.
#pragma once

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

// Over the device, in both families: the gateway is found, a TCP connection to a documentation
// address ends at the gate's socket with that address as its original destination, DNS over UDP and
// TCP ends at the DNS sockets and an answer comes back from the address that was asked, and any
// other datagram is refused. The sockets are left as they were. REQUIRES: nobody else reads the
// device's queue.
Result<void, SetupFault> test_guest_device(const GuestDevice& device, const GuestLink& link,
                                           const NamespaceSockets& sockets);

}  // namespace egret
