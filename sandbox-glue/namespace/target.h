// Which existing network namespace is meant: opened once, so that what is entered later is what was
// named, whoever dies and whatever number is used again in between.
#pragma once

#include <string>
#include <sys/types.h>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

struct NamespaceTarget {
  std::string label;     // for people and records: "netns /run/netns/web", "container 3f2a…"
  std::string identity;  // device and inode of the namespace; unique while it is open
  UniqueFd netns;
  UniqueFd alive;    // pidfd: readable once the process is gone; none for a path
  std::string path;  // where it is mounted; empty for a process
};

// A file such as `ip netns add` makes, or /proc/PID/ns/net, which is the process.
Result<NamespaceTarget, SetupFault> target_at_path(const std::string& path);
Result<NamespaceTarget, SetupFault> target_of_process(pid_t pid);
// Asks podman, and docker where podman does not know it.
Result<NamespaceTarget, SetupFault> target_of_container(const std::string& id);

// "device:inode" of an open file, or of the file at a path; empty where there is none.
std::string identity_of(const UniqueFd& file);
std::string identity_at(const std::string& path);

}  // namespace egret
