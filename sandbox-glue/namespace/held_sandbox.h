// A sandbox of any kind that stands behind its rules, before and while its command runs.
//
// Whoever starts one (ProcessSandbox::start() and its siblings) has made the namespace, guarded it
// and holds its sockets; nothing of the request runs before run(). Destruction ends everything
// inside and removes what was made for it.
#pragma once

#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

class HeldSandbox {
 public:
  virtual ~HeldSandbox() = default;

  // Owned by the sandbox until moved from.
  virtual NamespaceSockets& sockets() = 0;

  // What a person should be told on stderr, e.g. that the working directory is not exposed.
  virtual const std::vector<std::string>& notes() const = 0;

  // Runs the command to its end: its exit status, or 128+N when signal N killed it. Call it once.
  virtual Result<int, SetupFault> run() = 0;

  // Ends everything inside. Idempotent; from any thread while run() blocks.
  virtual void kill() noexcept = 0;

 protected:
  HeldSandbox() = default;
  HeldSandbox(HeldSandbox&&) = default;
  HeldSandbox& operator=(HeldSandbox&&) = default;
};

}  // namespace egret
