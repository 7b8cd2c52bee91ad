// Proves that the namespace's rules do what they say, by sending through them.
#pragma once

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

// From inside the namespace, in both families: a TCP connection to a documentation address ends at
// the gate's socket with that address as its original destination, DNS over UDP and TCP ends at the
// DNS sockets, and any other datagram is refused. The sockets are left as they were.
Result<void, SetupFault> test_namespace(const NamespaceSockets& sockets);

}  // namespace egret
