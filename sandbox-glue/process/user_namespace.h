// A user, a network and a process namespace of our own, without any privilege on the host.
#pragma once

#include <sys/types.h>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// Forks a child into new namespaces: a user namespace, and a network and a process namespace that
// it owns. Returns 0 in the child, which is process 1 there: whatever it starts, and whatever that
// starts in namespaces of its own, ends when it does; the kernel sees to it. Until map_ids() it has
// no identity. REQUIRES: a single-threaded process.
Result<pid_t, SetupFault> fork_into_namespaces();

// In that child: it becomes root of the user namespace, and `uid`/`gid` of the host.
Result<void, SetupFault> map_ids(uid_t uid, gid_t gid);

// The setting of this host that most likely made a step with namespaces fail; empty if none stands
// out. `error` is the errno of the failed step, 0 if it is not known.
std::string user_namespace_remedy(int error);

// For a process in its own process namespace: a /proc that shows it. bubblewrap looks up its own
// child there, and would meet a stranger, or nobody, in the one outside.
Result<void, SetupFault> mount_own_proc();

}  // namespace egret
