#include "proxy/secrets/capture.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include <climits>

#include "certs/read_to_end.h"
#include "policy/secret/secret.h"
#include "policy/unique_fd.h"

namespace egret {
namespace {

using Clock = std::chrono::steady_clock;

std::string reason(int error) {
  return std::generic_category().message(error);
}

// glibc 2.36 declares pidfd_open without extern "C".
int open_pid(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// A child in a process group of its own, dead and reaped when this ends.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), exit_(open_pid(pid)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (!reaped_) kill_and_reap();
  }

  int exit_descriptor() const { return exit_.get(); }

  // Once the exit descriptor is readable. Nothing where somebody else reaped it.
  int status() {
    int status = -1;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    // The group outlives its leader; what failed leaves nobody behind.
    if (status != 0) ::kill(-pid_, SIGKILL);
    return status;
  }

 private:
  void kill_and_reap() {
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  pid_t pid_;
  UniqueFd exit_;
  bool reaped_ = false;
};

struct Actions {
  Actions() { ::posix_spawn_file_actions_init(&value); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&value); }
  posix_spawn_file_actions_t value;
};

struct Attributes {
  Attributes() { ::posix_spawnattr_init(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&value); }
  posix_spawnattr_t value;
};

int prepare(Actions& actions, Attributes& attributes, int output) {
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  const std::array<int, 8> results{
      ::posix_spawn_file_actions_addopen(&actions.value, 0, "/dev/null", O_RDONLY, 0),
      ::posix_spawn_file_actions_adddup2(&actions.value, output, 1),
      ::posix_spawn_file_actions_addopen(&actions.value, 2, "/dev/null", O_WRONLY, 0),
      ::posix_spawn_file_actions_addclosefrom_np(&actions.value, 3),
      ::posix_spawnattr_setpgroup(&attributes.value, 0),
      ::posix_spawnattr_setsigmask(&attributes.value, &none),
      ::posix_spawnattr_setsigdefault(&attributes.value, &all),
      ::posix_spawnattr_setflags(&attributes.value, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF)};
  const auto* const failed =
      std::find_if(results.begin(), results.end(), [](int r) { return r != 0; });
  return failed == results.end() ? 0 : *failed;
}

int spawn(const std::vector<std::string>& argv, int output, pid_t& pid) {
  Actions actions;
  Attributes attributes;
  if (const int error = prepare(actions, attributes, output)) return error;
  std::vector<char*> arguments;
  for (const std::string& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  return ::posix_spawnp(&pid, arguments.front(), &actions.value, &attributes.value,
                        arguments.data(), environ);
}

std::string limit_text(std::chrono::milliseconds limit) {
  return limit.count() % 1000 == 0 ? std::to_string(limit.count() / 1000) + " s"
                                   : std::to_string(limit.count()) + " ms";
}

CaptureFault failure(int status) {
  const std::string how =
      WIFEXITED(status)     ? "exited with status " + std::to_string(WEXITSTATUS(status))
      : WIFSIGNALED(status) ? "was killed by signal " + std::to_string(WTERMSIG(status))
                            : std::string("ended in a way that cannot be known");
  return CaptureFault{how + "; run it by hand to see why"};
}

// Reads until the child has exited: a grandchild that keeps the pipe open does not hold us up.
Result<void, CaptureFault> read_until_exit(const Child& child, int pipe, std::size_t bytes_max,
                                           std::chrono::milliseconds limit, std::string& bytes) {
  const Clock::time_point deadline = Clock::now() + limit;
  std::array<pollfd, 2> waits{pollfd{child.exit_descriptor(), POLLIN, 0}, pollfd{pipe, POLLIN, 0}};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int wait_ms =
        static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left, 0, INT_MAX));
    const int ready = ::poll(waits.data(), waits.size(), wait_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return CaptureFault{"cannot be waited for: " + reason(errno)};
    if (ready == 0)
      return CaptureFault{"took longer than " + limit_text(limit) + " and was killed"};
    if (waits[1].revents != 0) {
      switch (read_to_end(pipe, bytes_max, bytes)) {
        case ReadEnd::too_long:
          return CaptureFault{"printed more than 8 KiB and was killed"};
        case ReadEnd::failed:
          return CaptureFault{"its output cannot be read"};
        case ReadEnd::end_of_file:
          waits[1].fd = -1;
          break;
        case ReadEnd::would_block:
          break;
      }
      continue;  // what it printed before it exited is read first
    }
    if (waits[0].revents != 0) return {};
  }
}

}  // namespace

Result<std::string, CaptureFault> capture_output(const std::vector<std::string>& argv,
                                                 std::size_t bytes_max,
                                                 std::chrono::milliseconds limit) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return CaptureFault{"cannot be started: " + reason(errno)};
  }
  const UniqueFd reading{ends[0]};
  UniqueFd writing{ends[1]};
  ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  pid_t pid = -1;
  if (const int error = spawn(argv, writing.get(), pid)) {
    return CaptureFault{"cannot be started: " + reason(error)};
  }
  writing.reset();
  Child child{pid};
  std::string bytes;
  auto read = child.exit_descriptor() < 0
                  ? Result<void, CaptureFault>{CaptureFault{"cannot be waited for"}}
                  : read_until_exit(child, reading.get(), bytes_max, limit, bytes);
  if (read) {
    const int status = child.status();
    if (status == 0) return {boost::system::in_place_value, std::move(bytes)};
    read = failure(status);
  }
  wipe(bytes);
  return read.error();
}

}  // namespace egret
