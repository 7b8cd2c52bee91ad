// Makes every address of the world local to the current network namespace.
#pragma once

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// Brings `lo` up and adds `local 0.0.0.0/0 dev lo src 127.0.0.1` and, where the kernel has IPv6,
// `local ::/0 dev lo src ::1`. REQUIRES: CAP_NET_ADMIN over the current network namespace.
Result<void, SetupFault> bring_up_loopback();

// Whether this kernel has IPv6 at all; where it has none, nothing can leave by it either.
bool kernel_has_ipv6();

}  // namespace egret
