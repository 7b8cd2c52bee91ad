// What a command may do to its own machine: system calls, capabilities, descriptors.
#include <fcntl.h>

#include <doctest/doctest.h>

#include "tests/sandbox-glue/support/gate_process.h"

namespace egret::test {

TEST_CASE("a command has no capability, and can gain none") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    const Outcome outcome = run_inside(
        request_for(folder, {"grep", "-hE", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"},
                    caller),
        {}, caller);
    CHECK(outcome.out ==
          "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
          "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  }
}

TEST_CASE("system calls that open side doors are refused") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = run_inside(python_request(folder, R"(
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    libc.syscall(number, *args)
    return errno.errorcode.get(ctypes.get_errno(), 'ok')
calls = {'io_uring_setup': 425, 'io_uring_enter': 426, 'io_uring_register': 427, 'keyctl': 250,
         'add_key': 248, 'request_key': 249, 'bpf': 321, 'perf_event_open': 298, 'userfaultfd': 323}
for name, number in calls.items(): print(name, call(number, 0, 0, 0, 0, 0))
print('TIOCSTI', call(16, 0, 0x5412, b'x'))
print('TIOCSTI, dirty', call(16, 0, ctypes.c_ulong(0xffffffff00005412), b'x'))
print('TIOCLINUX', call(16, 0, 0x541c, b'x'))
print('family, dirty', call(41, ctypes.c_ulong(0x100000000 + 40), 1, 0))
print('family, negative', call(41, ctypes.c_long(-1), 1, 0))
print('x32', call(0x40000000 + 39))
)"));
  CHECK(outcome.out ==
        "io_uring_setup ENOSYS\nio_uring_enter ENOSYS\nio_uring_register ENOSYS\nkeyctl EPERM\n"
        "add_key EPERM\nrequest_key EPERM\nbpf EPERM\nperf_event_open EPERM\nuserfaultfd EPERM\n"
        "TIOCSTI EPERM\nTIOCSTI, dirty EPERM\nTIOCLINUX EPERM\nfamily, dirty EAFNOSUPPORT\n"
        "family, negative EAFNOSUPPORT\nx32 ENOSYS\n");
}

TEST_CASE("a command gets its three descriptors and no other") {
  if (!sandbox_possible()) return;
  // One that a careless caller left open across exec.
  const UniqueFd careless(::open("/etc/passwd", O_RDONLY));
  const Folder folder;
  const Outcome outcome = run_inside(python_request(
      folder, "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"));
  CHECK(outcome.out == "[0, 1, 2]\n");
  const Outcome init =
      run_inside(python_request(folder,
                                "import os\n"
                                "for fd in os.listdir('/proc/1/fd'):\n"
                                "    print(os.readlink('/proc/1/fd/' + fd).split(':')[0])"));
  CHECK(init.out.find("socket") == std::string::npos);
  CHECK(init.out.find("passwd") == std::string::npos);
}

TEST_CASE("a command sees its own processes only, and no egret among them") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = run_inside(
      python_request(folder, "import os; print([p for p in os.listdir('/proc') if p.isdigit()])"));
  CHECK(outcome.out == "['1', '2']\n");
}

TEST_CASE("a command runs as its caller") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome self = run_inside(request_for(folder, {"id", "-u"}));
  CHECK(self.out == std::to_string(::geteuid()) + "\n");
  if (::geteuid() != 0) return;
  const Outcome nobody =
      run_inside(request_for(folder, {"id", "-un"}, Caller::Nobody), {}, Caller::Nobody);
  CHECK(nobody.out == "nobody\n");
}

TEST_CASE("a command gets the environment it was given, and nothing else") {
  if (!sandbox_possible()) return;
  const Folder folder;
  SandboxRequest request = request_for(folder, {"/usr/bin/env"});
  request.environment = {{"ONE", "1"}, {"EMPTY", ""}, {"LINES", "a\nb=c"}};
  CHECK(run_inside(request).out == "ONE=1\nEMPTY=\nLINES=a\nb=c\n");
}

}  // namespace egret::test
