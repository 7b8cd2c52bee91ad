// A user and a network namespace of our own, without any privilege on the host.
#pragma once

#include <sys/types.h>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// Moves the calling process into a new user namespace, in which it is root and `uid`/`gid` of the
// host, and a new network namespace owned by it. REQUIRES: a single-threaded process.
Result<void, SetupFault> enter_user_and_network_namespace(uid_t uid, gid_t gid);

// The setting of this host that most likely made a step with namespaces fail; empty if none stands
// out. `error` is the errno of the failed step, 0 if it is not known.
std::string user_namespace_remedy(int error);

}  // namespace egret
