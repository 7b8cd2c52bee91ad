#include "sandbox-glue/container/held_namespace.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/namespace/guard.h"

namespace egret {
namespace {

constexpr int channel_number = 3;

Result<NamespaceSockets, SetupFault> enter_and_guard(const std::string& nft_path,
                                                     const UniqueFd& owner) {
  if (owner && ::setns(owner.get(), CLONE_NEWUSER) != 0) {
    return system_fault("cannot enter podman's user namespace", errno);
  }
  if (::unshare(CLONE_NEWNET) != 0) {
    return system_fault("cannot create a network namespace", errno,
                        "run as root, or as a user for whom podman works without it");
  }
  ::prctl(PR_SET_DUMPABLE, 1);  // else nobody but the host's root may look up our namespace
  return guard_namespace(nft_path);
}

[[noreturn]] void hold(const std::string& nft_path, const UniqueFd& owner, ChannelPair& channel) {
  ::setsid();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd < 3; ++fd)
    ::dup2(null.get(), fd);
  auto sockets = enter_and_guard(nft_path, owner);
  if (!sockets) {
    send_fault(channel.theirs, sockets.error());
    ::_exit(1);
  }
  if (auto sent = send_sockets(channel.theirs, *sockets); !sent) ::_exit(1);
  // The gate alone keeps the sockets, and everything else of its.
  if (channel.theirs.get() != channel_number) ::dup2(channel.theirs.get(), channel_number);
  ::close_range(channel_number + 1, ~0U, 0);
  char none = 0;
  while (::recv(channel_number, &none, 1, 0) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

// The call itself and not fork(): see fork_into_namespaces().
Result<HeldNamespace, SetupFault> HeldNamespace::make(const std::string& nft_path,
                                                      const UniqueFd& owner) {
  auto channel = make_channel();
  if (!channel) return channel.error();
  const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child < 0) return system_fault("cannot start the namespace's holder", errno);
  if (child == 0) {
    channel->ours.reset();
    hold(nft_path, owner, *channel);
  }
  channel->theirs.reset();
  HeldNamespace made(static_cast<pid_t>(child), std::move(channel->ours));
  auto sockets = receive_sockets(made.channel_);
  if (!sockets) return sockets.error();
  made.sockets_ = std::move(*sockets);
  return made;
}

HeldNamespace::HeldNamespace(HeldNamespace&& other) noexcept
    : holder_(std::exchange(other.holder_, -1)),
      channel_(std::move(other.channel_)),
      sockets_(std::move(other.sockets_)) {}

HeldNamespace::~HeldNamespace() {
  if (holder_ < 0) return;
  channel_.reset();
  while (::waitpid(holder_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string HeldNamespace::path() const {
  return "/proc/" + std::to_string(holder_) + "/ns/net";
}

}  // namespace egret
