#include "sandbox-glue/namespace/target.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <linux/nsfs.h>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

constexpr const char* permission_remedy =
    "run it as root, or as the user whose container or user namespace it is";

std::string identity_of(const struct stat& status) {
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

SetupFault cannot_open(const std::string& what, int error) {
  const bool refused = error == EACCES || error == EPERM;
  return system_fault("cannot open " + what, error, refused ? permission_remedy : "");
}

bool has_ended(const UniqueFd& pidfd) {
  pollfd one{pidfd.get(), POLLIN, 0};
  return ::poll(&one, 1, 0) != 0;
}

SetupFault is_gone(pid_t pid) {
  return {"there is no process " + std::to_string(pid), {}};
}

// Everything that the host itself uses must never be guarded: it would lose its network.
Result<NamespaceTarget, SetupFault> checked(NamespaceTarget target) {
  if (::ioctl(target.netns.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return SetupFault{target.label + " is no network namespace", {}};
  target.identity = identity_of(target.netns);
  for (const char* own : {"/proc/self/ns/net", "/proc/1/ns/net"}) {
    if (identity_at(own) != target.identity) continue;
    return SetupFault{target.label + " is the host's own network namespace, and stays as it is",
                      "give the sandbox a namespace of its own: ip netns add NAME, unshare --net, "
                      "or a container with --network none"};
  }
  return target;
}

std::optional<pid_t> number_of(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

// The PID of /proc/PID/ns/net.
std::optional<pid_t> process_in(const std::string& path) {
  constexpr std::string_view before = "/proc/", behind = "/ns/net";
  if (!path.starts_with(before) || !path.ends_with(behind)) return std::nullopt;
  if (path.size() <= before.size() + behind.size()) return std::nullopt;
  return number_of(
      std::string_view(path).substr(before.size(), path.size() - before.size() - behind.size()));
}

// The process is held before its folder is opened, and still alive afterwards: so both are of the
// same process.
Result<NamespaceTarget, SetupFault> open_process(pid_t pid, std::string label) {
  NamespaceTarget target;
  target.label = std::move(label);
  target.alive = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!target.alive) {
    if (errno == ESRCH || errno == EINVAL) return is_gone(pid);
    return cannot_open("process " + std::to_string(pid), errno);
  }
  const std::string folder = "/proc/" + std::to_string(pid);
  const UniqueFd process(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (process) target.netns = UniqueFd(::openat(process.get(), "ns/net", O_RDONLY | O_CLOEXEC));
  const int error = errno;
  if (has_ended(target.alive)) return is_gone(pid);
  if (!target.netns) return cannot_open("the network namespace of " + target.label, error);
  return checked(std::move(target));
}

bool is_container_name(const std::string& id) {
  constexpr std::size_t name_bytes_max = 255;
  return !id.empty() && id.size() <= name_bytes_max &&
         std::isalnum(static_cast<unsigned char>(id.front())) != 0 &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
         });
}

// The container's process as one engine knows it.
Result<pid_t, SetupFault> ask_engine(const std::string& engine, const std::string& id) {
  auto tool = find_tool(engine, engine == "docker" ? "docker.io" : engine);
  if (!tool) return tool.error();
  auto told = ask_tool({*tool, "container", "inspect", "--format", "{{.State.Pid}}", id});
  if (!told) return told.error();
  if (*told == "0") return SetupFault{"the container " + id + " is not running", "start it first"};
  const auto pid = number_of(*told);
  if (!pid) return SetupFault{engine + " names no process for the container " + id, {}};
  return *pid;
}

}  // namespace

std::string identity_of(const UniqueFd& file) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 ? identity_of(status) : std::string();
}

std::string identity_at(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? identity_of(status) : std::string();
}

Result<NamespaceTarget, SetupFault> target_at_path(const std::string& given) {
  const std::string path = std::filesystem::absolute(given).lexically_normal();
  if (const auto pid = process_in(path)) return open_process(*pid, "netns " + path);
  NamespaceTarget target;
  target.label = "netns " + path;
  target.path = path;
  target.netns = UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!target.netns) return cannot_open(path, errno);
  auto known = checked(std::move(target));
  // Nothing tells when what such a name leads to is gone.
  if (known && path.starts_with("/proc/"))
    return SetupFault{path + " cannot be watched", "name the process: --pid PID"};
  return known;
}

Result<NamespaceTarget, SetupFault> target_of_process(pid_t pid) {
  if (pid <= 0) return SetupFault{"a process id is a number from 1", {}};
  return open_process(pid, "pid " + std::to_string(pid));
}

Result<NamespaceTarget, SetupFault> target_of_container(const std::string& id) {
  if (!is_container_name(id)) return SetupFault{"\"" + id + "\" is no container name", {}};
  std::string engine = "podman";
  auto pid = ask_engine(engine, id);
  if (!pid && pid.error().remedy != "start it first") {
    auto by_docker = ask_engine("docker", id);
    if (by_docker || by_docker.error().remedy == "start it first") {
      engine = "docker";
      pid = std::move(by_docker);
    } else {
      return SetupFault{
          "there is no container " + id + ": " + pid.error().what + "; " + by_docker.error().what,
          "podman ps, docker ps: which containers there are, for this user"};
    }
  }
  if (!pid) return pid.error();
  auto target = open_process(*pid, "container " + id);
  if (!target) return target;
  // Asked again now that the process is held: its number cannot have gone to another.
  const auto again = ask_engine(engine, id);
  if (!again) return again.error();
  if (*again != *pid)
    return SetupFault{"the container " + id + " was restarted meanwhile", "try again"};
  return target;
}

}  // namespace egret
