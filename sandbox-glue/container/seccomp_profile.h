// podman's seccomp profile, made as narrow as the process sandbox's filter where that matters.
//
// Some address families belong to no network namespace: with AF_VSOCK a container in a virtual
// machine talks to the hypervisor past every rule. podman's own profile lets them through.
#pragma once

#include <string>
#include <string_view>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// `profile` is podman's (JSON, runtime-spec with podman's extensions). The result allows sockets of
// AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, the machine's own ABI alone, and neither keyrings nor
// io_uring; the rest stays as it is.
Result<std::string, SetupFault> tighten_profile(std::string_view profile);

// Where podman has its own: what an administrator put in its place first.
Result<std::string, SetupFault> read_podman_profile();

}  // namespace egret
