// Opens the sockets that sandbox-glue/namespace/sockets.h describes, in the current namespace.
#pragma once

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

Result<NamespaceSockets, SetupFault> open_namespace_sockets();

}  // namespace egret
