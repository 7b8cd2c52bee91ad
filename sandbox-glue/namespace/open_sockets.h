// Opens the sockets that sandbox-glue/namespace/sockets.h describes, in the current namespace.
#pragma once

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

// Who sends to them. A guest's datagrams come redirected to its gateway's address and not to
// loopback, so that the DNS sockets listen on every address then.
enum class SocketsFor { OwnProcesses, Guest };

Result<NamespaceSockets, SetupFault> open_namespace_sockets(
    SocketsFor whom = SocketsFor::OwnProcesses);

}  // namespace egret
