#include "sandbox-glue/container/podman.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

constexpr std::size_t words_bytes_max = 4096;
constexpr const char* rootless_remedy =
    "for a user without root: apt install uidmap, and a range for this user in /etc/subuid and "
    "/etc/subgid (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)";

// Where descriptors 0-2 of the child come from; -1: its parent's own.
struct Streams {
  int in = -1;
  int out = -1;
  int words = -1;
};

Result<pid_t, SetupFault> spawn(const std::vector<std::string>& argv, const Streams& streams) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  if (streams.in >= 0) ::posix_spawn_file_actions_adddup2(&actions, streams.in, STDIN_FILENO);
  if (streams.out >= 0) ::posix_spawn_file_actions_adddup2(&actions, streams.out, STDOUT_FILENO);
  if (streams.words >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, streams.words, STDERR_FILENO);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  sigset_t none;
  ::sigemptyset(&none);
  sigset_t usual;
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> words;
  for (const auto& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, words.front(), &actions, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return system_fault("cannot run " + argv.front(), error);
  return {boost::system::in_place_value, pid};
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  return text;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe, SetupFault> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_fault("cannot create a pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The first line; what follows is nobody's.
std::string read_line(const UniqueFd& from) {
  std::string line;
  char c = 0;
  while (line.size() < 64) {
    const ssize_t n = ::read(from.get(), &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || c == '\n') break;
    line.push_back(c);
  }
  return line;
}

bool same_file(const UniqueFd& file, const char* path) {
  struct stat one {};
  struct stat other {};
  return ::fstat(file.get(), &one) == 0 && ::stat(path, &other) == 0 &&
         one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

}  // namespace

int exit_status_of_child(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<Podman, SetupFault> Podman::find() {
  auto path = find_tool("podman", "podman");
  if (path) return Podman(std::move(*path));
  if (!find_tool("docker", "docker")) return path.error();
  return SetupFault{
      "podman is not installed, and docker cannot start a container in a namespace that is there "
      "already",
      "apt install podman"};
}

std::vector<std::string> Podman::command(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv{path_};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

Result<std::string, SetupFault> Podman::run(const std::vector<std::string>& arguments,
                                            Words words) const {
  auto printed = make_memory_file("egret-podman-output", {});
  if (!printed) return printed.error();
  auto said = make_memory_file("egret-podman-words", {});
  if (!said) return said.error();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto child = spawn(command(arguments),
                     {null.get(), printed->get(), words == Words::Kept ? said->get() : -1});
  if (!child) return child.error();
  if (exit_status_of_child(*child) == 0) {
    return {boost::system::in_place_value, trimmed(read_memory_file(*printed, words_bytes_max))};
  }
  return SetupFault{
      "podman " + arguments.front() + " failed" +
          (words == Words::Kept ? ": " + trimmed(read_memory_file(*said, words_bytes_max))
                                : std::string(" (it says why above)")),
      {}};
}

bool Podman::succeeds(const std::vector<std::string>& arguments) const {
  return run(arguments).has_value();
}

Result<pid_t, SetupFault> Podman::start(const std::vector<std::string>& arguments) const {
  return spawn(command(arguments), {});
}

// Any process in it will do: one that says its number and stays until its descriptor is open.
Result<UniqueFd, SetupFault> Podman::user_namespace() const {
  auto in = make_pipe();
  if (!in) return in.error();
  auto out = make_pipe();
  if (!out) return out.error();
  auto said = make_memory_file("egret-podman-words", {});
  if (!said) return said.error();
  auto child = spawn(command({"unshare", "sh", "-c", "echo $$; exec cat"}),
                     {in->read.get(), out->write.get(), said->get()});
  if (!child) return child.error();
  in->read.reset();
  out->write.reset();
  const std::string pid = read_line(out->read);
  const std::string path = "/proc/" + pid + "/ns/user";
  UniqueFd found(pid.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  in->write.reset();
  const int status = exit_status_of_child(*child);
  if (found && status == 0 && !same_file(found, "/proc/self/ns/user")) return found;
  return SetupFault{"podman has no user namespace for this user: " +
                        trimmed(read_memory_file(*said, words_bytes_max)),
                    rootless_remedy};
}

}  // namespace egret
