// The one place that knows which kinds of sandbox `egret run` can start.
#pragma once

#include <memory>
#include <string>

#include "proxy/server/verbs.h"
#include "sandbox-glue/namespace/held_sandbox.h"
#include "sandbox-glue/namespace/sandbox_request.h"

namespace egret {

// Whether the command finds the host's programs and the caller's variables, or those of a system of
// its own (an image), to which Egret only adds.
enum class SystemInside { Hosts, Own };
SystemInside system_inside(const RunFlags& flags);

// Whether the flags of this kind can be taken as they stand.
Result<void, Failure> check_kind(const RunFlags& flags);

Result<std::unique_ptr<HeldSandbox>, SetupFault> start_sandbox(const RunFlags& flags,
                                                               SandboxRequest request);

// What start_sandbox() and its run() would do, as text a person can read. Starts nothing.
std::string describe_sandbox(const RunFlags& flags, const SandboxRequest& request);

}  // namespace egret
