// The network interfaces of the current namespace through which something could leave.
#pragma once

#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// All but loopback, and but the tunnel devices that some kernels put into every namespace (tunl0,
// sit0, …) as long as they are down.
Result<std::vector<std::string>, SetupFault> ways_out();

}  // namespace egret
