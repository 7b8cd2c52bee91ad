// A virtual machine whose network card ends at the gate: QEMU without root, in a network namespace
// of its own, with a tap device that the namespace's rules watch over.
//
// start() and run() work as those of ProcessSandbox, and what it says about threads, signals and
// the caller's death holds here. The machine's first serial port is standard input and output.
// run() returns the exit status that guest.sh reported for the request's command; without a command
// it is QEMU's own, 0 for a machine that was switched off.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sandbox-glue/namespace/held_sandbox.h"
#include "sandbox-glue/namespace/sandbox_request.h"
#include "sandbox-glue/vm/machine.h"

namespace egret {

class VmSandbox : public HeldSandbox {
 public:
  // Of the request, command, environment and the files in /run/egret are for the guest; nothing of
  // the host's file system is shown to it.
  static Result<VmSandbox, SetupFault> start(Machine machine, const SandboxRequest& request);

  VmSandbox(VmSandbox&&) noexcept;
  VmSandbox& operator=(VmSandbox&&) noexcept;
  ~VmSandbox() override;  // kills and reaps

  NamespaceSockets& sockets() override;
  const std::vector<std::string>& notes() const override;
  Result<int, SetupFault> run() override;
  void kill() noexcept override;

 private:
  struct State;
  explicit VmSandbox(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What start() and run() would do, as text a person can read. Starts nothing.
std::string describe_vm(const Machine& machine, const SandboxRequest& request);

// Why `machine` cannot be started, before anything is: files that are not there, numbers out of
// range. Its paths become absolute.
Result<void, SetupFault> check_machine(Machine& machine);

}  // namespace egret
