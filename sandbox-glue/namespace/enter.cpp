#include "sandbox-glue/namespace/enter.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/namespace/guard.h"
#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/namespace/interfaces.h"

namespace egret {
namespace {

constexpr std::string_view keep_word = "keep";
constexpr int probe_timeout_ms = 1000;

// nft is a program of its own: what this one may do over the namespace has to reach it, also where
// the user is nobody special inside.
void pass_power_on() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return;
  data[0].inheritable |= data[0].permitted & (1U << CAP_NET_ADMIN);
  if (::syscall(SYS_capset, &header, data) == 0)
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
}

Result<void, SetupFault> enter_namespace(const NamespaceTarget& target) {
  if (::setns(target.netns.get(), CLONE_NEWNET) == 0) return {};
  // Whoever made a user namespace has every power in it.
  const UniqueFd owner(::ioctl(target.netns.get(), NS_GET_USERNS));
  if (owner && ::setns(owner.get(), CLONE_NEWUSER) == 0 &&
      ::setns(target.netns.get(), CLONE_NEWNET) == 0) {
    return {};
  }
  return system_fault("cannot enter " + target.label, errno,
                      "run it as root, or as the user whose container or user namespace it is");
}

// With rules of ours there, a connection to anywhere ends at whoever holds their sockets, be it a
// gate or the keeper of one that is away.
bool somebody_listens() {
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in anywhere{};
  anywhere.sin_family = AF_INET;
  anywhere.sin_port = htons(9);
  ::inet_pton(AF_INET, "192.0.2.1", &anywhere.sin_addr);
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&anywhere), sizeof(anywhere)) == 0)
    return true;
  if (errno != EINPROGRESS) return false;
  pollfd one{client.get(), POLLOUT, 0};
  if (::poll(&one, 1, probe_timeout_ms) != 1)
    return true;  // no answer: nothing that is ours to take
  int error = 0;
  socklen_t bytes = sizeof(error);
  return ::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0;
}

Result<Rules, SetupFault> look_around(const NamespaceTarget& target, const std::string& nft_path,
                                      const std::string& tap) {
  auto interfaces = ways_out();
  if (!interfaces) return interfaces.error();
  std::erase(*interfaces, tap);
  if (!interfaces->empty()) {
    std::string names;
    for (const std::string& name : *interfaces)
      names += (names.empty() ? "" : ", ") + name;
    return SetupFault{target.label + " has the interface " + names +
                          " besides loopback: what leaves there would not pass the gate",
                      "start the container with --network none, or take the interface away: "
                      "ip link delete " +
                          interfaces->front()};
  }
  if (!has_rules(nft_path)) return Rules::Fresh;
  if (somebody_listens())
    return SetupFault{target.label +
                          " is behind a gate already: there is a table inet egret, and "
                          "somebody holds its sockets",
                      "one sandbox has one gate: detach it there first"};
  return Rules::Replaced;
}

// The device's queue is let go of afterwards: the machine that is started next takes it.
Result<NamespaceSockets, SetupFault> set_up_with_tap(NamespaceGuard& guard, Rules mode,
                                                     const NamespaceTarget& target,
                                                     const std::string& tap) {
  if (::if_nametoindex(tap.c_str()) == 0) {
    return SetupFault{target.label + " has no device " + tap,
                      "ip netns exec NAME ip tuntap add " + tap + " mode tap"};
  }
  const auto device = open_guest_device(tap);
  if (!device) return device.error();
  return guard.set_up(mode, &*device);
}

// In the child, for the rest of its life.
[[noreturn]] void serve_entrance(const NamespaceTarget& target, const std::string& nft_path,
                                 const std::string& tap, const UniqueFd& channel) {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // nobody who has powers inside shall trace it
  ::setsid();  // a terminal's signals end the caller, and this one then cleans up
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  if (auto entered = enter_namespace(target); !entered) {
    send_fault(channel, entered.error());
    ::_exit(1);
  }
  pass_power_on();
  auto mode = look_around(target, nft_path, tap);
  if (!mode) {
    send_fault(channel, mode.error());
    ::_exit(1);
  }
  NamespaceGuard guard(nft_path);
  auto sockets = tap.empty() ? guard.set_up(*mode) : set_up_with_tap(guard, *mode, target, tap);
  if (!sockets) {
    guard.undo();
    send_fault(channel, sockets.error());
    ::_exit(1);
  }
  bool kept = false;
  if (send_sockets(channel, *sockets)) {
    const auto verdict = receive_message(channel);
    kept = verdict && *verdict && (*verdict)->bytes == keep_word;
  }
  if (!kept) guard.undo();
  ::_exit(0);
}

void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<EnteredNamespace, SetupFault> EnteredNamespace::enter(const NamespaceTarget& target,
                                                             const std::string& nft_path,
                                                             const std::string& tap) {
  auto pair = make_channel();
  if (!pair) return pair.error();
  // The call itself and not fork(): ThreadSanitizer's handler for that starts a thread, and a
  // process with threads cannot enter a user namespace.
  const auto child =
      static_cast<pid_t>(::syscall(SYS_clone, long{SIGCHLD}, nullptr, nullptr, nullptr, nullptr));
  if (child < 0) return system_fault("cannot fork", errno);
  if (child == 0) {
    pair->ours.reset();
    serve_entrance(target, nft_path, tap, pair->theirs);
  }
  pair->theirs.reset();
  auto sockets = receive_sockets(pair->ours);
  if (!sockets) {
    pair->ours.reset();
    wait_for(child);
    return sockets.error();
  }
  return EnteredNamespace(child, std::move(pair->ours), std::move(*sockets));
}

EnteredNamespace::EnteredNamespace(pid_t child, UniqueFd channel, NamespaceSockets sockets)
    : child_(child), channel_(std::move(channel)), sockets_(std::move(sockets)) {}

EnteredNamespace::EnteredNamespace(EnteredNamespace&& other) noexcept
    : child_(std::exchange(other.child_, -1)),
      channel_(std::move(other.channel_)),
      sockets_(std::move(other.sockets_)) {}

EnteredNamespace::~EnteredNamespace() {
  channel_.reset();
  if (child_ > 0) wait_for(child_);
}

void EnteredNamespace::keep() {
  (void)send_message(channel_, keep_word, {});
}

}  // namespace egret
