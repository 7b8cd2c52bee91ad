#include "sandbox-glue/container/remover.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <linux/close_range.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace egret {
namespace {

constexpr int word_number = 3;

int run(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const auto& word : command)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  if (::posix_spawn(&child, argv[0], nullptr, &attributes, argv.data(), environ) != 0) return 1;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

[[noreturn]] void wait_and_remove(const std::vector<std::string>& command,
                                  const std::string& folder, const UniqueFd& word) {
  ::setsid();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd < 3; ++fd)
    ::dup2(null.get(), fd);
  if (word.get() != word_number) ::dup2(word.get(), word_number);
  ::fcntl(word_number, F_SETFD, FD_CLOEXEC);
  ::close_range(word_number + 1, ~0U, 0);
  char told = 0;
  ssize_t got = -1;
  while ((got = ::recv(word_number, &told, 1, 0)) < 0 && errno == EINTR) {
  }
  int status = run(command);
  if (got != 1) {
    // The gate was killed; a `podman create` that it had begun may still be at work.
    constexpr unsigned create_seconds = 2;
    ::sleep(create_seconds);
    status = run(command);
  }
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  ::_exit(status == 0 ? 0 : 1);
}

}  // namespace

Result<Remover, SetupFault> Remover::start(std::vector<std::string> command, std::string folder) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_fault("cannot create a socket pair", errno);
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child < 0) return system_fault("cannot start the container's remover", errno);
  if (child == 0) {
    ours.reset();
    wait_and_remove(command, folder, theirs);
  }
  return Remover(static_cast<pid_t>(child), std::move(ours));
}

Remover::Remover(Remover&& other) noexcept
    : child_(std::exchange(other.child_, -1)),
      word_(std::move(other.word_)),
      removed_(other.removed_) {}

void Remover::begin() noexcept {
  const char word = 'r';
  (void)::send(word_.get(), &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool Remover::finish() noexcept {
  if (child_ < 0) return removed_;
  begin();
  int status = 1;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  removed_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return removed_;
}

}  // namespace egret
