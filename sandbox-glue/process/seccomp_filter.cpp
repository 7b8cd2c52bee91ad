#include "sandbox-glue/process/seccomp_filter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/tty.h>
#include <memory>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox-glue/namespace/memory_file.h"

namespace egret {
namespace {

struct ReleaseFilter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// Returns a negative errno as libseccomp does. A call that this libseccomp does not know is not an
// error: the kernel headers it was built with are older than the call.
int refuse(const Filter& filter, int error, int call) {
  if (call == __NR_SCMP_ERROR) return 0;
  return ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call, 0);
}

int refuse_where(const Filter& filter, int error, int call, scmp_arg_cmp condition) {
  return ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call,
                                  1, &condition);
}

int refuse_calls(const Filter& filter) {
  for (const char* name : {"io_uring_setup", "io_uring_enter", "io_uring_register"}) {
    if (int r = refuse(filter, ENOSYS, ::seccomp_syscall_resolve_name(name)); r < 0) return r;
  }
  for (const char* name :
       {"keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd"}) {
    if (int r = refuse(filter, EPERM, ::seccomp_syscall_resolve_name(name)); r < 0) return r;
  }
  return 0;
}

// The kernel reads a family as an int. Values of 64 bits whose low half names an allowed family
// fall under the last rule, so that the comparison cannot be passed by dirt in the high half.
int refuse_families(const Filter& filter) {
  constexpr std::array<unsigned, 4> allowed{AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  const int socket_call = SCMP_SYS(socket);
  for (unsigned family = 0; family < AF_MAX; ++family) {
    if (std::find(allowed.begin(), allowed.end(), family) != allowed.end()) continue;
    const scmp_arg_cmp same{0, SCMP_CMP_EQ, family, 0};
    if (int r = refuse_where(filter, EAFNOSUPPORT, socket_call, same); r < 0) return r;
  }
  const scmp_arg_cmp beyond{0, SCMP_CMP_GE, AF_MAX, 0};
  return refuse_where(filter, EAFNOSUPPORT, socket_call, beyond);
}

int refuse_terminal_typing(const Filter& filter) {
  for (const unsigned long request :
       {static_cast<unsigned long>(TIOCSTI), static_cast<unsigned long>(TIOCLINUX)}) {
    const scmp_arg_cmp low_half{1, SCMP_CMP_MASKED_EQ, 0xffffffffUL, request};
    if (int r = refuse_where(filter, EPERM, SCMP_SYS(ioctl), low_half); r < 0) return r;
  }
  return 0;
}

}  // namespace

Result<UniqueFd, SetupFault> make_seccomp_filter() {
  Filter filter(::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return SetupFault{"cannot create a seccomp filter", {}};
  int failed = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  if (failed == 0) failed = refuse_calls(filter);
  if (failed == 0) failed = refuse_families(filter);
  if (failed == 0) failed = refuse_terminal_typing(filter);
  if (failed != 0) return system_fault("cannot build the seccomp filter", -failed);
  auto file = make_memory_file("egret-seccomp", {});
  if (!file) return file;
  if (int r = ::seccomp_export_bpf(filter.get(), file->get()); r < 0) {
    return system_fault("cannot export the seccomp filter", -r);
  }
  ::lseek(file->get(), 0, SEEK_SET);
  return file;
}

}  // namespace egret
