#include "sandbox-glue/vm/vm_sandbox.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "sandbox-glue/namespace/describe.h"
#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/namespace/tool.h"
#include "sandbox-glue/process/command_image.h"
#include "sandbox-glue/process/entrance.h"
#include "sandbox-glue/process/supervise.h"
#include "sandbox-glue/process/user_namespace.h"
#include "sandbox-glue/vm/guest_services.h"
#include "sandbox-glue/vm/qemu_call.h"
#include "sandbox-glue/vm/reported_status.h"

namespace egret {

struct VmSandbox::State {
  State(SignalInbox inbox, pid_t child, UniqueFd channel, UniqueFd words)
      : signals(std::move(inbox)), sandbox(child, std::move(channel), std::move(words)) {}

  SignalInbox signals;
  Bubblewrapped sandbox;
  NamespaceSockets sockets;
  GuestSockets guest_sockets;
  UniqueFd image;
  UniqueFd status;  // what the guest writes to its second serial port
  bool has_command = false;
  std::vector<std::string> notes;
};

namespace {

constexpr int status_unreported = 1;

struct Pipe {
  UniqueFd out;
  UniqueFd in;
};

Result<Pipe, SetupFault> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_fault("cannot create a pipe", errno);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(pipe.out.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

Result<void, SetupFault> check_file(const char* flag, std::string& path, int mode) {
  if (path.empty()) return {};
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  const std::string named = std::string(flag) + " " + path + ": ";
  if (error) return SetupFault{named + error.message(), {}};
  if (!std::filesystem::is_regular_file(real, error)) return SetupFault{named + "not a file", {}};
  if (::access(real.c_str(), mode) != 0) return system_fault(named + "no access", errno);
  path = real;
  return {};
}

bool usable(const char* device) {
  return static_cast<bool>(UniqueFd(::open(device, O_RDWR | O_CLOEXEC)));
}

}  // namespace

Result<void, SetupFault> check_machine(Machine& machine) {
  if (machine.kernel.empty() && machine.disk.empty()) {
    return SetupFault{"a virtual machine needs --kernel or --disk to boot from", {}};
  }
  if (machine.kernel.empty() && !(machine.initrd.empty() && machine.append.empty())) {
    return SetupFault{"--initrd and --append are for a --kernel", {}};
  }
  if (machine.memory_mib < machine_memory_mib_min || machine.memory_mib > machine_memory_mib_max) {
    return SetupFault{"--memory takes MiB, " + std::to_string(machine_memory_mib_min) + " to " +
                          std::to_string(machine_memory_mib_max),
                      {}};
  }
  if (machine.cpus == 0 || machine.cpus > machine_cpus_max) {
    return SetupFault{"--cpus takes 1 to " + std::to_string(machine_cpus_max), {}};
  }
  if (auto r = check_file("--kernel", machine.kernel, R_OK); !r) return r;
  if (auto r = check_file("--initrd", machine.initrd, R_OK); !r) return r;
  return check_file("--disk", machine.disk, R_OK | W_OK);
}

Result<VmSandbox, SetupFault> VmSandbox::start(Machine machine, const SandboxRequest& request) {
  if (auto checked = check_machine(machine); !checked) return checked.error();
  auto nft = find_tool("nft", "nftables");
  if (!nft) return nft.error();
  auto bwrap = find_tool("bwrap", "bubblewrap");
  if (!bwrap) return bwrap.error();
  auto qemu = find_tool("qemu-system-x86_64", "qemu-system-x86");
  if (!qemu) return qemu.error();
  auto channel = make_channel();
  if (!channel) return channel.error();
  auto status = make_pipe();
  if (!status) return status.error();
  const bool no_kvm = machine.kvm && !usable("/dev/kvm");
  if (no_kvm) machine.kvm = false;
  auto call = make_qemu_call(*bwrap, *qemu, machine, guest_facts(request), channel->theirs.get(),
                             std::move(status->in));
  if (!call) return call.error();
  auto image = make_command_image(call->command, {});
  if (!image) return image.error();
  auto words = make_memory_file("egret-sandbox-words", {});
  if (!words) return words.error();
  auto signals = SignalInbox::open();
  if (!signals) return signals.error();

  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  auto child = fork_into_namespaces();
  if (!child) return child.error();
  if (*child == 0) {
    enter_sandbox({*nft, call->bubblewrap, *channel, *words, uid, gid, call->guest_queue});
  }
  channel->theirs.reset();
  auto state = std::make_unique<State>(std::move(*signals), *child, std::move(channel->ours),
                                       std::move(*words));
  auto sockets = receive_sockets(state->sandbox.channel());
  if (!sockets) return sockets.error();
  auto guest_sockets = receive_guest_sockets(state->sandbox.channel());
  if (!guest_sockets) return guest_sockets.error();
  state->sockets = std::move(*sockets);
  state->guest_sockets = std::move(*guest_sockets);
  state->image = std::move(*image);
  state->status = std::move(status->out);
  state->has_command = !request.command.empty();
  if (no_kvm) {
    state->notes.push_back("/dev/kvm cannot be used here: the machine is emulated, and slow");
  }
  return VmSandbox(std::move(state));
}

Result<int, SetupFault> VmSandbox::run() {
  TerminalRelay terminal;
  auto launched = launch_with_terminal(state_->sandbox, state_->image, terminal);
  if (!launched) return launched.error();
  ReportedStatus reported(state_->status);
  GuestServices services(std::move(state_->guest_sockets));
  std::vector<Errand> errands = services.errands();
  errands.push_back({state_->status.get(), [&] { reported.read(); }});
  const int qemu = supervise(state_->sandbox, state_->signals, terminal, errands);
  reported.read();
  if (qemu != 0) return qemu;
  const auto status = reported.value();
  if (status) return *status;
  return state_->has_command ? status_unreported : 0;
}

VmSandbox::VmSandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
VmSandbox::VmSandbox(VmSandbox&&) noexcept = default;
VmSandbox& VmSandbox::operator=(VmSandbox&&) noexcept = default;
VmSandbox::~VmSandbox() = default;

NamespaceSockets& VmSandbox::sockets() {
  return state_->sockets;
}
const std::vector<std::string>& VmSandbox::notes() const {
  return state_->notes;
}
void VmSandbox::kill() noexcept {
  state_->sandbox.kill();
}

std::string describe_vm(const Machine& machine, const SandboxRequest& request) {
  return describe_namespace(entrance_guest_device) +
         "\n# 4. QEMU with that device, in a file system of its own\n" +
         describe_qemu_call(machine, guest_facts(request));
}

}  // namespace egret
