// The bubblewrap call that builds the command's file system and drops what is left of power.
#pragma once

#include <string>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/process/filesystem_plan.h"

namespace egret {

constexpr const char* launch_path = "/run/egret-launch";  // where the sandbox shows egret_launch

struct BubblewrapCall {
  std::vector<std::string> argv;    // its options come by --args, so that no path shows in `ps`
  std::vector<UniqueFd> documents;  // what argv and the options name by number: keep across exec
};

// `channel` is the descriptor that egret_launch gets to speak with the gate.
Result<BubblewrapCall, SetupFault> make_bubblewrap_call(const std::string& bwrap_path,
                                                        const FilesystemPlan& plan,
                                                        const HostView& host, int channel);

// The options alone, with names in place of descriptor numbers: for people.
std::vector<std::string> describe_bubblewrap_options(const FilesystemPlan& plan,
                                                     const HostView& host);

}  // namespace egret
