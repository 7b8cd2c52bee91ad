#include "sandbox-glue/process/user_namespace.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy/unique_fd.h"

namespace egret {
namespace {

Result<void, SetupFault> write_setting(const char* path, std::string_view text) {
  UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
    const int error = errno;
    return system_fault(std::string("cannot write ") + path, error, user_namespace_remedy(error));
  }
  return {};
}

// A gate that forbids core dumps of itself would find its own /proc files, the maps among them,
// owned by root. Only until the maps are written.
class DumpableForNow {
 public:
  DumpableForNow() : before_(::prctl(PR_GET_DUMPABLE)) { ::prctl(PR_SET_DUMPABLE, 1); }
  ~DumpableForNow() { ::prctl(PR_SET_DUMPABLE, before_); }
  DumpableForNow(const DumpableForNow&) = delete;
  DumpableForNow& operator=(const DumpableForNow&) = delete;

 private:
  int before_;
};

bool setting_is(const char* path, std::string_view value) {
  UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  std::array<char, 32> text{};
  const ssize_t length = ::read(file.get(), text.data(), text.size());
  if (length <= 0) return false;
  std::string_view read(text.data(), static_cast<std::size_t>(length));
  if (read.ends_with('\n')) read.remove_suffix(1);
  return read == value;
}

}  // namespace

std::string user_namespace_remedy(int error) {
  if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", "0")) {
    return "sysctl kernel.unprivileged_userns_clone=1";
  }
  if (setting_is("/proc/sys/user/max_user_namespaces", "0")) {
    return "sysctl user.max_user_namespaces=15000";
  }
  if (setting_is("/proc/sys/user/max_net_namespaces", "0")) {
    return "sysctl user.max_net_namespaces=15000";
  }
  if (setting_is("/proc/sys/user/max_pid_namespaces", "0")) {
    return "sysctl user.max_pid_namespaces=15000";
  }
  if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")) {
    return "sysctl kernel.apparmor_restrict_unprivileged_userns=0";
  }
  switch (error) {
    case ENOSPC:
      return "sysctl user.max_user_namespaces and user.max_net_namespaces: raise the limits";
    case EINVAL:
      return "a kernel built with CONFIG_USER_NS and CONFIG_NET_NS";
    case EPERM:
      return "in a container: a seccomp profile that allows unshare(CLONE_NEWUSER)";
    default:
      return {};
  }
}

// The call itself and not fork(): the namespaces come with it, and handlers registered for fork()
// do not run (ThreadSanitizer's would start a thread in a child that is only on its way to exec).
Result<pid_t, SetupFault> fork_into_namespaces() {
  constexpr long flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
  const long child = ::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
  if (child >= 0) return static_cast<pid_t>(child);
  const int error = errno;
  return system_fault("cannot create a user, a network, a process and a mount namespace", error,
                      user_namespace_remedy(error));
}

Result<void, SetupFault> map_ids(uid_t uid, gid_t gid) {
  const DumpableForNow dumpable;
  const std::string uid_map = "0 " + std::to_string(uid) + " 1\n";
  const std::string gid_map = "0 " + std::to_string(gid) + " 1\n";
  if (auto r = write_setting("/proc/self/setgroups", "deny"); !r) return r;
  if (auto r = write_setting("/proc/self/uid_map", uid_map); !r) return r;
  return write_setting("/proc/self/gid_map", gid_map);
}

Result<void, SetupFault> mount_own_proc() {
  constexpr unsigned long quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  // Private: what others mount and unmount meanwhile must not vanish under bubblewrap's hands.
  const bool mounted = ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("proc", "/proc", "proc", quiet, nullptr) == 0;
  if (mounted) return {};
  return system_fault(
      "cannot mount /proc for the sandbox's process namespace", errno,
      "in a container: one whose /proc is not masked (e.g. podman run --security-opt unmask=ALL)");
}

}  // namespace egret
