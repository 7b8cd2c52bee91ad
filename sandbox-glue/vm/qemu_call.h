// QEMU's command line, and bubblewrap's around it: a file system with QEMU's program, the machine's
// files and nothing else, no capability, and no network but the guest's device.
#pragma once

#include <string>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/process/bubblewrap.h"
#include "sandbox-glue/vm/guest_facts.h"
#include "sandbox-glue/vm/machine.h"

namespace egret {

struct QemuCall {
  BubblewrapCall bubblewrap;         // its documents hold the two descriptors below
  std::vector<std::string> command;  // QEMU, as egret_launch runs it
  const UniqueFd* guest_queue;       // holds the number that the guest's device gets
};

// `machine` has checked, absolute paths. `status` is the writable end of a pipe: what the guest
// writes to its second serial port.
Result<QemuCall, SetupFault> make_qemu_call(const std::string& bwrap_path,
                                            const std::string& qemu_path, const Machine& machine,
                                            const std::vector<GuestFact>& facts, int channel,
                                            UniqueFd status);

// The same as text, with names in place of descriptors and sizes in place of contents.
std::string describe_qemu_call(const Machine& machine, const std::vector<GuestFact>& facts);

}  // namespace egret
