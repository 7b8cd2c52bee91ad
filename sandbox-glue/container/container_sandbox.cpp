#include "sandbox-glue/container/container_sandbox.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "sandbox-glue/container/held_namespace.h"
#include "sandbox-glue/container/podman.h"
#include "sandbox-glue/container/private_folder.h"
#include "sandbox-glue/container/remover.h"
#include "sandbox-glue/container/seccomp_profile.h"
#include "sandbox-glue/namespace/tool.h"
#include "sandbox-glue/process/signals.h"

namespace egret {

struct ContainerSandbox::State {
  Podman podman;
  SignalInbox signals;
  PrivateFolder folder;
  HeldNamespace network;
  Remover remover;  // ends first
  std::string name;
  std::vector<std::string> notes;
};

namespace {

constexpr int podmans_own_failure = 125;

std::string fresh_name() {
  std::array<unsigned char, 5> random{};
  (void)::getrandom(random.data(), random.size(), 0);
  std::string name = "egret-";
  for (const unsigned char byte : random) {
    name.push_back(static_cast<char>('a' + byte % 16));
    name.push_back(static_cast<char>('a' + byte / 16));
  }
  return name;
}

std::uint64_t hard_limit(int resource) {
  rlimit limit{};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  return limit.rlim_max;
}

// catatonit, where podman looks for it.
bool init_program_is_there() {
  return ::access("/usr/libexec/podman/catatonit", X_OK) == 0 ||
         find_tool("catatonit", "catatonit").has_value();
}

ContainerPlaces places_for(const std::string& name, const std::string& folder,
                           const std::string& network) {
  ContainerPlaces places;
  places.name = name;
  places.network = network;
  places.files = folder;
  places.environment = folder + "/environment";
  places.with_init = init_program_is_there();
  places.with_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  places.open_files_max = hard_limit(RLIMIT_NOFILE);
  places.processes_max = hard_limit(RLIMIT_NPROC);
  return places;
}

Result<FilesystemPlan, SetupFault> plan_for(ContainerRequest& request, const std::string& name) {
  for (SandboxFile& file : name_files(name))
    request.sandbox.files.push_back(std::move(file));
  const char* home = std::getenv("HOME");  // the person's: the container has one of its own
  return plan_container(request, read_host({{"HOME", home == nullptr ? "" : home}}));
}

Result<std::string, SetupFault> seccomp_profile() {
  auto podmans = read_podman_profile();
  if (!podmans) return podmans;
  return tighten_profile(*podmans);
}

Result<void, SetupFault> fill(const PrivateFolder& folder, const FilesystemPlan& plan,
                              const std::string& seccomp) {
  constexpr unsigned shown = 0444;
  if (auto added = folder.add_file(seccomp_file, seccomp, shown); !added) return added;
  std::size_t contents = 0;
  for (const Mount& mount : plan.mounts) {
    if (mount.kind != Mount::Kind::Content) continue;
    auto added = folder.add_file(content_file(contents++), mount.content, shown);
    if (!added) return added;
  }
  if (auto added = folder.add_file(empty_file, {}, 0); !added) return added;
  return folder.add_folder(empty_folder);
}

std::vector<std::string> remove_command(const std::string& name) {
  return {"rm", "--force", "--ignore", "--volumes", "--time", "0", name};
}

// podman's own words are for the person while it may pull for minutes, else for the fault.
Result<void, SetupFault> create(const Podman& podman, const ContainerRequest& request,
                                const std::vector<std::string>& command) {
  const bool image_is_here = podman.succeeds({"image", "exists", request.image});
  auto created = podman.run(command, image_is_here ? Podman::Words::Kept : Podman::Words::Shown);
  if (created) return {};
  SetupFault fault = created.error();
  if (!image_is_here) {
    fault.what = "there is no image " + request.image + " here, and podman could not get it";
    fault.remedy = "podman pull " + request.image + ", or podman images for what there is";
  }
  return fault;
}

bool has_ended(const UniqueFd& process, int wait_ms) {
  pollfd one{process.get(), POLLIN, 0};
  return ::poll(&one, 1, wait_ms) > 0;
}

// By podman's own command and not through the attached one: that one passes on what it gets only
// once it sees the container run, and before it dies of it.
void send_to_container(const Podman& podman, const std::string& name, int number,
                       const UniqueFd& attached) {
  constexpr int again_ms = 100;
  while (!podman.succeeds({"kill", "--signal", std::to_string(number), name})) {
    if (has_ended(attached, again_ms)) return;
  }
}

int supervise_podman(const Podman& podman, const std::string& name, pid_t child,
                     SignalInbox& signals) {
  const UniqueFd attached(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  std::array<pollfd, 2> wait{pollfd{attached.get(), POLLIN, 0},
                             pollfd{signals.descriptor(), POLLIN, 0}};
  while (attached && wait[0].revents == 0) {
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    while (const auto info = signals.next()) {
      const int number = static_cast<int>(info->ssi_signo);
      // What a terminal sends, podman got as well: it is in our group.
      if (info->ssi_code != SI_KERNEL) {
        send_to_container(podman, name, number, attached);
      } else if (number == SIGTSTP) {
        ::raise(SIGSTOP);
      }
    }
  }
  return exit_status_of_child(child);
}

}  // namespace

Result<ContainerSandbox, SetupFault> ContainerSandbox::start(ContainerRequest request) {
  auto nft = find_tool("nft", "nftables");
  if (!nft) return nft.error();
  auto podman = Podman::find();
  if (!podman) return podman.error();
  const std::string name = fresh_name();
  auto plan = plan_for(request, name);
  if (!plan) return plan.error();
  auto environment = environment_file(request);
  if (!environment) return environment.error();
  auto seccomp = seccomp_profile();
  if (!seccomp) return seccomp.error();
  UniqueFd owner;
  if (::geteuid() != 0) {
    auto found = podman->user_namespace();
    if (!found) return found.error();
    owner = std::move(*found);
  }

  auto signals = SignalInbox::open();
  if (!signals) return signals.error();
  auto folder = PrivateFolder::make();
  if (!folder) return folder.error();
  if (auto filled = fill(*folder, *plan, *seccomp); !filled) return filled.error();
  auto network = HeldNamespace::make(*nft, owner);
  if (!network) return network.error();
  auto remover = Remover::start(podman->command(remove_command(name)), folder->path());
  if (!remover) return remover.error();
  auto state = std::unique_ptr<State>(new State{std::move(*podman), std::move(*signals),
                                                std::move(*folder), std::move(*network),
                                                std::move(*remover), name, std::move(plan->notes)});

  const ContainerPlaces places = places_for(name, state->folder.path(), state->network.path());
  if (auto added = state->folder.add_file("environment", *environment, 0600); !added) {
    return added.error();
  }
  if (!places.with_init) {
    state->notes.push_back(
        "podman has no init program here (apt install catatonit): the command is process 1 and "
        "may ignore signals");
  }
  if (::geteuid() == 0) {
    state->notes.push_back(
        "running as root: the container's root is this machine's, without any capability; an "
        "ordinary user is safer");
  }
  auto created = create(state->podman, request, create_command(request, *plan, places));
  if (!created) return created.error();
  ::unlink(places.environment.c_str());
  return ContainerSandbox(std::move(state));
}

Result<int, SetupFault> ContainerSandbox::run() {
  auto child = state_->podman.start(
      {"start", "--attach", "--interactive", "--sig-proxy", "--detach-keys=", state_->name});
  if (!child) return child.error();
  const int status = supervise_podman(state_->podman, state_->name, *child, state_->signals);
  if (status == podmans_own_failure) {
    const auto now = state_->podman.run({"inspect", "--format", "{{.State.Status}}", state_->name});
    if (now && *now != "exited" && *now != "running") {
      return SetupFault{"podman could not start the container (it says why above)", {}};
    }
  }
  if (!state_->remover.finish()) {
    return SetupFault{"the container " + state_->name + " could not be removed",
                      "podman rm --force " + state_->name};
  }
  return status;
}

ContainerSandbox::ContainerSandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
ContainerSandbox::ContainerSandbox(ContainerSandbox&&) noexcept = default;
ContainerSandbox& ContainerSandbox::operator=(ContainerSandbox&&) noexcept = default;
ContainerSandbox::~ContainerSandbox() = default;

NamespaceSockets& ContainerSandbox::sockets() {
  return state_->network.sockets();
}
const std::vector<std::string>& ContainerSandbox::notes() const {
  return state_->notes;
}
void ContainerSandbox::kill() noexcept {
  state_->remover.begin();
}

std::string describe_container(const ContainerRequest& request) {
  ContainerRequest copy = request;
  const auto plan = plan_for(copy, "NAME");
  return describe_container_plan(copy, plan, places_for("NAME", "FOLDER", "NAMESPACE"));
}

}  // namespace egret
