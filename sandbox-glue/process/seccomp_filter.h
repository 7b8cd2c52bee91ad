// System calls that a sandboxed command has no business with, as a filter that bubblewrap loads.
#pragma once

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// A memory file with the BPF program. Refused: socket families other than Unix, IPv4, IPv6 and
// netlink; io_uring, which opens sockets behind a filter's back; the kernel's key rings, which are
// not namespaced; typing into a terminal (TIOCSTI, TIOCLINUX); bpf, perf and userfaultfd. Other
// architectures' calls do not exist. ptrace stays: debuggers are work, and there is nothing of
// ours inside to look into.
Result<UniqueFd, SetupFault> make_seccomp_filter();

}  // namespace egret
