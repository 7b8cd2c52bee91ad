// A command in a container of podman's, with root or without, whose network namespace is ours:
// guarded before the container exists, and held by the gate.
//
// start() makes the namespace and the container (podman create: a missing image is pulled by podman
// itself, outside the gate, unless its policy says otherwise); run() starts it with our terminal
// and descriptors, passes signals on and returns the command's exit status. Whatever ends the
// calling process, kill -9 included, a waiting process removes the container.
//
// Threads: as ProcessSandbox: start() forks, so call it while the process has a single thread, and
// it blocks the signals that are the command's now; run() blocks, kill() may be called meanwhile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/container/create_command.h"
#include "sandbox-glue/namespace/held_sandbox.h"

namespace egret {

class ContainerSandbox : public HeldSandbox {
 public:
  static Result<ContainerSandbox, SetupFault> start(ContainerRequest request);

  ContainerSandbox(ContainerSandbox&&) noexcept;
  ContainerSandbox& operator=(ContainerSandbox&&) noexcept;
  ~ContainerSandbox() override;  // ends and removes the container

  NamespaceSockets& sockets() override;
  const std::vector<std::string>& notes() const override;
  Result<int, SetupFault> run() override;
  void kill() noexcept override;

 private:
  struct State;
  explicit ContainerSandbox(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What start() and run() would do, as text a person can read. Starts nothing.
std::string describe_container(const ContainerRequest& request);

}  // namespace egret
