// A command in a rootless sandbox of its own: user, network, mount, pid, ipc and uts namespaces,
// read-only root, private /tmp /run /dev /proc, hidden home, and no way out but NamespaceSockets.
//
// start() forks a helper that builds the network namespace, loads and verifies its rules and hands
// its sockets over; nothing of the request runs yet. run() lets bubblewrap build the file system
// and start the command, relays terminal and signals, and returns the command's exit status.
// Whatever ends the calling process, kill -9 included, ends everything inside.
//
// Call start() before secrets are in memory and before limits are raised: until bubblewrap runs,
// the helper is a copy of the caller, and the command inherits its limits.
//
// Threads: call start() while the process has a single thread (it forks). start() blocks SIGINT,
// SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP and SIGWINCH in its thread, so that
// threads started later do not get them: they are the command's now, and run() forwards them. The
// destructor, in the same thread, unblocks them. That thread must live as long as the sandbox: its
// end counts as the gate's death. run() blocks; kill() may be called from any thread meanwhile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/held_sandbox.h"
#include "sandbox-glue/namespace/sandbox_request.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

class ProcessSandbox : public HeldSandbox {
 public:
  static Result<ProcessSandbox, SetupFault> start(SandboxRequest request);

  ProcessSandbox(ProcessSandbox&&) noexcept;
  ProcessSandbox& operator=(ProcessSandbox&&) noexcept;
  ~ProcessSandbox() override;  // kills and reaps

  NamespaceSockets& sockets() override;
  const std::vector<std::string>& notes() const override;
  Result<int, SetupFault> run() override;
  void kill() noexcept override;

 private:
  struct State;
  explicit ProcessSandbox(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What start() and run() would do for this request, as text a person can read: the commands, the
// nftables rules and the sockets, with PORT names in place of numbers. Starts nothing.
std::string describe_plan(const SandboxRequest& request);

}  // namespace egret
