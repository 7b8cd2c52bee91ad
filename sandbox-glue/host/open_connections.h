// Connections that a user had before the rules stood: their packets are refused while a process
// holds them, but what a closed one still has to send belongs to no process and no rule meets it.
#pragma once

#include <vector>

#include "policy/result.h"
#include "sandbox-glue/host/host_rules.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// Aborts every TCP connection of these uids in the current network namespace, both families;
// listening sockets stay. Returns how many. A fault where the kernel cannot
// (CONFIG_INET_DIAG_DESTROY). REQUIRES: CAP_NET_ADMIN.
Result<unsigned, SetupFault> abort_connections(const std::vector<UidRange>& uids);

}  // namespace egret
