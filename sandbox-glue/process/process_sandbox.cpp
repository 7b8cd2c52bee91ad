#include "sandbox-glue/process/process_sandbox.h"

#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/namespace/tool.h"
#include "sandbox-glue/process/bubblewrap.h"
#include "sandbox-glue/process/command_image.h"
#include "sandbox-glue/process/entrance.h"
#include "sandbox-glue/process/filesystem_plan.h"
#include "sandbox-glue/process/supervise.h"
#include "sandbox-glue/process/user_namespace.h"

namespace egret {

struct ProcessSandbox::State {
  State(SignalInbox inbox, pid_t child, UniqueFd channel, UniqueFd words)
      : signals(std::move(inbox)), sandbox(child, std::move(channel), std::move(words)) {}

  SignalInbox signals;
  Bubblewrapped sandbox;
  NamespaceSockets sockets;
  UniqueFd image;
  std::vector<std::string> notes;
};

namespace {

// Where the working directory is not shown, the variable would name a folder that is not there.
std::vector<std::pair<std::string, std::string>> environment_in(const FilesystemPlan& plan,
                                                                const SandboxRequest& request) {
  auto environment = request.environment;
  const bool moved = !is_within(plan.working_directory, request.working_directory);
  for (auto& [name, value] : environment) {
    if (moved && name == "PWD") value = plan.working_directory;
  }
  return environment;
}

std::string root_note() {
  return "running as root: the command can read every file that root owns outside the hidden "
         "folders; an ordinary user is safer";
}

}  // namespace

Result<ProcessSandbox, SetupFault> ProcessSandbox::start(SandboxRequest request) {
  auto nft = find_tool("nft", "nftables");
  if (!nft) return nft.error();
  auto bwrap = find_tool("bwrap", "bubblewrap");
  if (!bwrap) return bwrap.error();
  const HostView host = read_host(request.environment);
  auto plan = plan_filesystem(request, host);
  if (!plan) return plan.error();
  auto image = make_command_image(request.command, environment_in(*plan, request));
  if (!image) return image.error();
  auto channel = make_channel();
  if (!channel) return channel.error();
  auto call = make_bubblewrap_call(*bwrap, *plan, host, channel->theirs.get());
  if (!call) return call.error();
  auto words = make_memory_file("egret-sandbox-words", {});
  if (!words) return words.error();
  auto signals = SignalInbox::open();
  if (!signals) return signals.error();

  auto child = fork_into_namespaces();
  if (!child) return child.error();
  if (*child == 0) enter_sandbox({*nft, *call, *channel, *words, host.uid, host.gid});
  channel->theirs.reset();
  auto state = std::make_unique<State>(std::move(*signals), *child, std::move(channel->ours),
                                       std::move(*words));
  auto sockets = receive_sockets(state->sandbox.channel());
  if (!sockets) return sockets.error();
  state->sockets = std::move(*sockets);
  state->image = std::move(*image);
  state->notes = std::move(plan->notes);
  if (host.uid == 0) state->notes.push_back(root_note());
  return ProcessSandbox(std::move(state));
}

Result<int, SetupFault> ProcessSandbox::run() {
  TerminalRelay terminal;
  auto launched = launch_with_terminal(state_->sandbox, state_->image, terminal);
  if (!launched) return launched.error();
  return supervise(state_->sandbox, state_->signals, terminal);
}

ProcessSandbox::ProcessSandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessSandbox::ProcessSandbox(ProcessSandbox&&) noexcept = default;
ProcessSandbox& ProcessSandbox::operator=(ProcessSandbox&&) noexcept = default;
ProcessSandbox::~ProcessSandbox() = default;

NamespaceSockets& ProcessSandbox::sockets() {
  return state_->sockets;
}
const std::vector<std::string>& ProcessSandbox::notes() const {
  return state_->notes;
}
void ProcessSandbox::kill() noexcept {
  state_->sandbox.kill();
}

}  // namespace egret
