#include "proxy/server/sandbox_kind.h"

#include <utility>

#include "sandbox-glue/process/process_sandbox.h"

namespace egret {
namespace {

template <class Sandbox>
Result<std::unique_ptr<HeldSandbox>, SetupFault> held(Result<Sandbox, SetupFault> started) {
  if (!started) return started.error();
  return std::unique_ptr<HeldSandbox>(std::make_unique<Sandbox>(std::move(*started)));
}

}  // namespace

SystemInside system_inside(const RunFlags&) {
  return SystemInside::Hosts;
}

Result<std::unique_ptr<HeldSandbox>, SetupFault> start_sandbox(const RunFlags&,
                                                               SandboxRequest request) {
  return held(ProcessSandbox::start(std::move(request)));
}

std::string describe_sandbox(const RunFlags&, const SandboxRequest& request) {
  return describe_plan(request);
}

}  // namespace egret
