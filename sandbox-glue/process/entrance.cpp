#include "sandbox-glue/process/entrance.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox-glue/namespace/guard.h"
#include "sandbox-glue/namespace/guest_sockets.h"
#include "sandbox-glue/process/user_namespace.h"

namespace egret {
namespace {

// The wish binds only if the gate is alive now. It has no process id in this namespace to ask for,
// but it holds the other end of the channel, and nobody else does once ours is closed.
void die_with_gate(ChannelPair& channel) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  channel.ours.reset();
  pollfd gate{channel.theirs.get(), POLLIN, 0};
  if (::poll(&gate, 1, 0) != 0) ::_exit(1);
}

// A session of its own keeps a terminal's signals away from bubblewrap: the gate forwards those
// that are meant for the command, once.
void detach_from_terminal(const UniqueFd& words) {
  ::setsid();
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(null.get(), STDIN_FILENO);
  ::dup2(words.get(), STDOUT_FILENO);
  ::dup2(words.get(), STDERR_FILENO);
}

void reset_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGCHLD, SIG_DFL);  // bubblewrap waits for its child
}

struct MadeNamespace {
  NamespaceSockets sockets;
  std::optional<GuestSockets> guest_sockets;
};

Result<MadeNamespace, SetupFault> guard_for_processes(const Entrance& entrance) {
  auto sockets = guard_namespace(entrance.nft_path);
  if (!sockets) return sockets.error();
  return MadeNamespace{std::move(*sockets), {}};
}

Result<MadeNamespace, SetupFault> guard_for_guest(const Entrance& entrance) {
  const auto device = open_guest_device(entrance_guest_device);
  if (!device) return device.error();
  auto sockets = guard_namespace(entrance.nft_path, &*device);
  if (!sockets) return sockets.error();
  auto guest_sockets = open_guest_sockets(entrance_guest_device);
  if (!guest_sockets) return guest_sockets.error();
  if (::dup3(device->queue.get(), entrance.guest_queue->get(), O_CLOEXEC) < 0) {
    return system_fault("cannot keep the guest's device", errno);
  }
  return MadeNamespace{std::move(*sockets), std::move(*guest_sockets)};
}

Result<MadeNamespace, SetupFault> make_namespace(const Entrance& entrance) {
  if (auto mapped = map_ids(entrance.uid, entrance.gid); !mapped) return mapped.error();
  if (auto mounted = mount_own_proc(); !mounted) return mounted.error();
  auto made =
      entrance.guest_queue == nullptr ? guard_for_processes(entrance) : guard_for_guest(entrance);
  if (made) return made;
  SetupFault fault = made.error();
  // AppArmor lets the namespace be made and then refuses every use of it.
  const std::string remedy = user_namespace_remedy(0);
  if (!remedy.empty()) fault.remedy = remedy;
  return fault;
}

Result<void, SetupFault> hand_over(const UniqueFd& channel, const MadeNamespace& made) {
  if (auto sent = send_sockets(channel, made.sockets); !sent) return sent;
  if (!made.guest_sockets) return {};
  return send_guest_sockets(channel, *made.guest_sockets);
}

void keep_across_exec(int fd) {
  ::fcntl(fd, F_SETFD, 0);
}

[[noreturn]] void become_bubblewrap(const Entrance& entrance) {
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  keep_across_exec(entrance.channel.theirs.get());
  for (const UniqueFd& document : entrance.bubblewrap.documents)
    keep_across_exec(document.get());
  std::vector<char*> argv;
  for (const auto& word : entrance.bubblewrap.argv)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  ::execve(argv[0], argv.data(), environment.data());
  ::dprintf(STDERR_FILENO, "cannot run %s", argv[0]);
  ::_exit(1);
}

}  // namespace

void enter_sandbox(const Entrance& entrance) {
  die_with_gate(entrance.channel);
  detach_from_terminal(entrance.words);
  reset_signals();
  auto made = make_namespace(entrance);
  if (!made) {
    send_fault(entrance.channel.theirs, made.error());
    ::_exit(1);
  }
  if (auto sent = hand_over(entrance.channel.theirs, *made); !sent) ::_exit(1);
  become_bubblewrap(entrance);
}

}  // namespace egret
