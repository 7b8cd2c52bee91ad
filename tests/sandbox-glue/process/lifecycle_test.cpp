// From start to end: status, bytes, signals, and that nothing stays behind.
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/sandbox-glue/support/gate_process.h"

namespace egret::test {
namespace {

struct Pipe {
  UniqueFd out;
  UniqueFd in;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Reads up to the line `wanted`, so that a test acts when the command is where it should be.
bool read_until(int fd, const std::string& wanted) {
  std::string text;
  char c = 0;
  while (::read(fd, &c, 1) == 1) {
    text.push_back(c);
    if (text.ends_with(wanted)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the exit status is the command's own") {
  if (!sandbox_possible()) return;
  const struct {
    std::vector<std::string> command;
    int status;
  } cases[] = {
      {{"true"}, 0},
      {{"false"}, 1},
      {{"sh", "-c", "exit 42"}, 42},
      {{"sh", "-c", "exit 255"}, 255},
      {{"sh", "-c", "kill -TERM $$"}, 143},
      {{"sh", "-c", "kill -SEGV $$"}, 139},
      {{"sh", "-c", "kill -KILL $$"}, 137},
      {{"egret-no-such-command"}, 127},
      {{"/etc/passwd"}, 126},
      {{"/no/such/file"}, 127},
  };
  for (const auto& one : cases) {
    CAPTURE(one.command.front());
    const Folder folder;
    CHECK(run_inside(request_for(folder, one.command)).status == one.status);
  }
}

TEST_CASE("a command that cannot be found is named") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = run_inside(request_for(folder, {"egret-no-such-command"}));
  CHECK(outcome.err == "egret: cannot run egret-no-such-command: No such file or directory\n");
}

TEST_CASE("no command, or one with a NUL byte, is refused") {
  const Folder folder;
  CHECK_FALSE(ProcessSandbox::start(request_for(folder, {})).has_value());
  CHECK_FALSE(ProcessSandbox::start(request_for(folder, {std::string("a\0b", 3)})).has_value());
}

TEST_CASE("arguments arrive as they are") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = run_inside(
      request_for(folder, {"printf", "%s|", "", "--", "--bind", "$HOME `id`", "a\nb", "\xff'\""}));
  CHECK(outcome.out == "|--|--bind|$HOME `id`|a\nb|\xff'\"|");
}

TEST_CASE("bytes pass through unchanged, and end of input is seen") {
  if (!sandbox_possible()) return;
  std::string bytes;
  for (unsigned i = 0; i < 300000; ++i)
    bytes.push_back(static_cast<char>((i * 7919) >> 3));
  const Folder folder;
  const Outcome outcome = run_inside(request_for(folder, {"tee", "/dev/stderr"}), bytes);
  CHECK(outcome.status == 0);
  CHECK(outcome.out == bytes);
  CHECK(outcome.err == bytes);
}

TEST_CASE("what a command leaves running ends with it") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Pipe out = make_pipe();
  GateProcess gate(request_for(folder, {"sh", "-c", "sleep 1000 & setsid sleep 1000 & echo up"}),
                   {-1, out.in.get(), -1});
  out.in.reset();
  CHECK(gate.wait() == 0);
  CHECK(read_to_end(out.out.get()) == "up\n");  // ends: nobody holds the pipe any more
}

TEST_CASE("signals sent to the gate reach the command, and the command alone") {
  if (!sandbox_possible()) return;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    CAPTURE(number);
    const Folder folder;
    Pipe out = make_pipe();
    GateProcess gate(python_request(folder,
                                    "import signal, os\n"
                                    "awaited = {1, 2, 3, 10, 12, 15}\n"
                                    "signal.pthread_sigmask(signal.SIG_BLOCK, awaited)\n"
                                    "os.write(1, b'ready\\n')\n"
                                    "n = signal.sigwait(awaited)\n"
                                    "os.write(1, b'got %d\\n' % n)\n"
                                    "os._exit(100 + n)\n"),
                     {-1, out.in.get(), -1});
    out.in.reset();
    REQUIRE(read_until(out.out.get(), "ready\n"));
    ::kill(gate.pid(), number);
    CHECK(gate.wait() == 100 + number);
    CHECK(read_to_end(out.out.get()) == "got " + std::to_string(number) + "\n");
  }
}

TEST_CASE("a command that does not handle a signal dies of it, and the status says so") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Pipe out = make_pipe();
  GateProcess gate(request_for(folder, {"sh", "-c", "echo ready; exec sleep 1000"}),
                   {-1, out.in.get(), -1});
  REQUIRE(read_until(out.out.get(), "ready\n"));
  ::kill(gate.pid(), SIGTERM);
  CHECK(gate.wait() == 128 + SIGTERM);
}

TEST_CASE("nothing stays behind when the gate is killed") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    Pipe out = make_pipe();
    GateProcess gate(request_for(folder,
                                 {"sh", "-c",
                                  "trap '' HUP INT TERM; setsid sleep 1000 & sleep 1000 & "
                                  "echo ready; while :; do sleep 1000; done"},
                                 caller),
                     {-1, out.in.get(), -1}, caller);
    out.in.reset();
    REQUIRE(read_until(out.out.get(), "ready\n"));
    ::kill(gate.pid(), SIGKILL);
    CHECK(gate.wait() == 128 + SIGKILL);
    CHECK(read_to_end(out.out.get()).empty());  // does not end while one of them lives
  }
}

// Regression: bubblewrap killed between making its inner process and binding that to its own life
// left the inner process waiting for ever, or the command running with nobody holding it. Orphans
// come to the test, which waits for the end of each.
TEST_CASE("whenever the gate is killed on the way, nothing stays behind") {
  if (!sandbox_possible()) return;
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  constexpr int moments = 60;
  constexpr int step_us = 300;  // over the whole start, which takes about 10 ms
  for (int moment = 0; moment < moments; ++moment) {
    const Folder folder;
    Pipe out = make_pipe();
    GateProcess gate(request_for(folder, {"sleep", "1000"}), {-1, out.in.get(), -1});
    out.in.reset();
    ::usleep(static_cast<useconds_t>(moment * step_us));
    ::kill(gate.pid(), SIGKILL);
    gate.wait();
    CHECK(read_to_end(out.out.get()).empty());
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    CHECK(errno == ECHILD);
  }
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}

TEST_CASE("a sandbox that is let go before it ran leaves nothing behind, and gives signals back") {
  if (!sandbox_possible()) return;
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  const Folder folder;
  {
    auto sandbox = ProcessSandbox::start(request_for(folder, {"true"}));
    REQUIRE(sandbox.has_value());
    ProcessSandbox moved = std::move(*sandbox);
    sigset_t during;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &during);
    CHECK(::sigismember(&during, SIGTERM) == 1);
    moved.kill();
    moved.kill();
  }
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(::sigismember(&after, SIGTERM) == ::sigismember(&before, SIGTERM));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child is left
}

TEST_CASE("kill ends a sandbox at any moment") {
  if (!sandbox_possible()) return;
  const Folder folder;
  for (int moment = 0; moment < 40; ++moment) {
    Pipe alive = make_pipe();
    flush_output();
    const pid_t gate = ::fork();
    REQUIRE(gate >= 0);
    if (gate == 0) {
      int status = 70;
      {
        auto sandbox = ProcessSandbox::start(request_for(folder, {"sleep", "1000"}));
        if (!sandbox) ::_exit(77);
        ::dup2(alive.in.get(), STDOUT_FILENO);
        std::thread killer([&] {
          ::usleep(static_cast<useconds_t>(moment * 200));
          sandbox->kill();
        });
        auto ran = sandbox->run();
        killer.join();
        // Killed before or after it started: a fault or a status, but no waiting.
        status = !ran || *ran == 137 ? 0 : 1;
      }
      ::_exit(status);
    }
    int status = 0;
    REQUIRE(::waitpid(gate, &status, 0) == gate);
    CHECK(status == 0);
    alive.in.reset();
    CHECK(read_to_end(alive.out.get()).empty());  // does not end while the command lives
  }
}

TEST_CASE("the plan for people names the commands, the rules and the sockets, and runs nothing") {
  const Folder folder;
  SandboxRequest request = request_for(folder, {"echo", "x"});
  request.files = {{"/run/egret/ca-bundle.pem", "12345"}};
  const std::string plan = describe_plan(request);
  for (const std::string& part :
       {std::string("ip route add local 0.0.0.0/0 dev lo"), std::string("table inet egret"),
        std::string("tcp  0.0.0.0:TCP_PORT"), std::string("--cap-drop ALL"),
        "--bind " + folder.path("project"),
        std::string("--ro-bind-data <5 bytes> /run/egret/ca-bundle.pem"), std::string("echo x")}) {
    CAPTURE(part);
    CHECK(plan.find(part) != std::string::npos);
  }
}

}  // namespace egret::test
