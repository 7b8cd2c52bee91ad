#include "sandbox-glue/process/bubblewrapped.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/process/user_namespace.h"

namespace egret {
namespace {

constexpr std::size_t words_bytes_max = 2048;

// The header of Debian 12 for these two has no C linkage.
int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

bool send_signal(const UniqueFd& pidfd, int number) {
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0) == 0;
}

int exit_status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Bubblewrapped::Bubblewrapped(pid_t child, UniqueFd channel, UniqueFd words)
    : child_(child),
      child_pidfd_(open_pidfd(child)),
      channel_(std::move(channel)),
      words_(std::move(words)) {}

Bubblewrapped::~Bubblewrapped() {
  if (!reaped_) {
    kill();
    reap();
  }
}

void Bubblewrapped::kill() noexcept {
  // A process that has been reaped has no pidfd target: this cannot hit a stranger. Process 1
  // inside follows by its parent-death signal.
  if (child_pidfd_) send_signal(child_pidfd_, SIGKILL);
}

int Bubblewrapped::reap() {
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  return exit_status_of(status);
}

void Bubblewrapped::signal(int number, Audience audience) noexcept {
  if (!command_pidfd_) return;
  if (audience == Audience::Command) {
    send_signal(command_pidfd_, number);
  } else if (send_signal(command_pidfd_, 0)) {
    ::kill(-command_, number);  // egret_launch made it the leader of its own group
  }
}

SetupFault Bubblewrapped::early_end() const {
  std::string words = read_memory_file(words_, words_bytes_max);
  while (!words.empty() && words.back() == '\n')
    words.pop_back();
  if (words.empty()) words = "it ended without a word";
  return {"bubblewrap cannot build the sandbox: " + words, user_namespace_remedy(0)};
}

Result<void, SetupFault> Bubblewrapped::await_ready() {
  auto received = receive_message(channel_);
  if (!received) return received.error();
  if (!*received) return early_end();
  if ((*received)->bytes.front() != ready_tag) {
    return SetupFault{"the sandbox sent something unexpected", {}};
  }
  return {};
}

Result<UniqueFd, SetupFault> Bubblewrapped::await_started() {
  auto received = receive_message(channel_);
  if (!received) return received.error();
  if (!*received || (*received)->bytes.front() != started_tag) {
    return SetupFault{"the command was ended before it started", {}};
  }
  ChannelMessage& message = **received;
  command_ = message.sender;
  command_pidfd_ = UniqueFd(open_pidfd(command_));
  if (!command_pidfd_) return system_fault("cannot hold on to the command", errno);
  if (auto sent = send_message(channel_, {&go_tag, 1}, {}); !sent) return sent.error();
  if (message.descriptors.empty()) return UniqueFd();
  return std::move(message.descriptors.front());
}

Result<UniqueFd, SetupFault> Bubblewrapped::launch(const LaunchOrder& order,
                                                   const UniqueFd& image) {
  if (auto ready = await_ready(); !ready) return ready.error();
  // A standard descriptor that is closed here is empty there.
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<int> descriptors{image.get()};
  for (int fd = 0; fd < 3; ++fd) {
    if ((order.terminal_mask & (1U << static_cast<unsigned>(fd))) != 0) continue;
    descriptors.push_back(::fcntl(fd, F_GETFD) < 0 ? null.get() : fd);
  }
  std::array<char, sizeof(order)> bytes{};
  std::memcpy(bytes.data(), &order, sizeof(order));
  auto sent = send_message(channel_, {bytes.data(), bytes.size()}, descriptors);
  if (!sent) return sent.error();
  return await_started();
}

}  // namespace egret
