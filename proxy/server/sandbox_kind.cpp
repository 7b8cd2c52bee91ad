#include "proxy/server/sandbox_kind.h"

#include <utility>

#include "sandbox-glue/container/container_sandbox.h"
#include "sandbox-glue/container/options.h"
#include "sandbox-glue/process/process_sandbox.h"
#include "sandbox-glue/vm/vm_sandbox.h"

namespace egret {
namespace {

template <class Sandbox>
Result<std::unique_ptr<HeldSandbox>, SetupFault> held(Result<Sandbox, SetupFault> started) {
  if (!started) return started.error();
  return std::unique_ptr<HeldSandbox>(std::make_unique<Sandbox>(std::move(*started)));
}

// After check_kind().
ContainerRequest container_request(const RunFlags& flags, SandboxRequest request) {
  return {std::move(request), *flags.container, *container_options(flags.container_options)};
}

Result<void, Failure> check_vm(const RunFlags& flags) {
  if (!flags.vm && flags.machine != Machine{}) {
    return Failure{
        "egret: --kernel, --initrd, --disk, --append, --memory, --cpus and --no-kvm need --vm", 2};
  }
  if (!flags.vm) return {};
  if (flags.container) return Failure{"egret: choose --vm or --container", 2};
  if (!flags.writable.empty()) {
    return Failure{"egret: --rw: a virtual machine sees no folder of the host; give it a --disk",
                   2};
  }
  Machine machine = flags.machine;
  if (auto checked = check_machine(machine); !checked) {
    return Failure{"egret: " + checked.error().what, 2};
  }
  return {};
}

}  // namespace

SystemInside system_inside(const RunFlags& flags) {
  return flags.container || flags.vm ? SystemInside::Own : SystemInside::Hosts;
}

Result<void, Failure> check_kind(const RunFlags& flags) {
  if (!flags.container && !flags.container_options.empty()) {
    return Failure{"egret: --container-option without --container IMAGE", 2};
  }
  if (flags.container && (flags.container->empty() || flags.container->front() == '-')) {
    return Failure{"egret: --container wants the name of an image, not '" + *flags.container + "'",
                   2};
  }
  if (auto options = container_options(flags.container_options); !options) {
    return Failure{"egret: " + options.error(), 2};
  }
  return check_vm(flags);
}

Result<std::unique_ptr<HeldSandbox>, SetupFault> start_sandbox(const RunFlags& flags,
                                                               SandboxRequest request) {
  if (flags.container) {
    return held(ContainerSandbox::start(container_request(flags, std::move(request))));
  }
  if (flags.vm) return held(VmSandbox::start(flags.machine, request));
  return held(ProcessSandbox::start(std::move(request)));
}

std::string describe_sandbox(const RunFlags& flags, const SandboxRequest& request) {
  if (flags.container) return describe_container(container_request(flags, request));
  if (flags.vm) return describe_vm(flags.machine, request);
  return describe_plan(request);
}

}  // namespace egret
