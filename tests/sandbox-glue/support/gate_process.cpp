#include "tests/sandbox-glue/support/gate_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <iostream>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/sandbox-glue/support/fake_gate.h"

namespace egret::test {
namespace {

constexpr uid_t nobody = 65534;

struct Pipe {
  UniqueFd out;
  UniqueFd in;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void become(Caller caller) {
  if (caller == Caller::Self) return;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
      ::setresuid(nobody, nobody, nobody) != 0) {
    ::_exit(70);
  }
}

void say(int fd, const std::string& text) {
  (void)!::write(fd, text.data(), text.size());
}

int fault_status(const SetupFault& fault) {
  say(STDERR_FILENO, "fault: " + fault.what + " | " + fault.remedy + "\n");
  return 77;
}

}  // namespace

bool sandbox_possible() {
  static const std::string obstacle = [] {
    const Folder folder;
    const Outcome outcome = run_inside(request_for(folder, {"true"}));
    return outcome.status == 0 ? std::string() : outcome.err + " ";
  }();
  if (obstacle.empty()) return true;
  if (std::getenv("CI") != nullptr) {
    FAIL("no sandbox can be set up here: " << obstacle);
  }
  MESSAGE("SKIPPED, no sandbox can be set up here: " << obstacle);
  return false;
}

Folder::Folder() {
  std::string name = "/tmp/egret-glue-XXXXXX";
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
  make_directory("home");
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::path(const std::string& name) const {
  return name.empty() ? path_.string() : (path_ / name).string();
}

std::string Folder::make_directory(const std::string& name) const {
  std::filesystem::create_directories(path_ / name);
  return path(name);
}

std::string Folder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name) << text;
  return path(name);
}

void Folder::give_to(Caller caller) const {
  if (::geteuid() != 0) return;
  const uid_t uid = caller == Caller::Nobody ? nobody : 0;
  REQUIRE(::chown(path_.c_str(), uid, uid) == 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
    REQUIRE(::lchown(entry.path().c_str(), uid, uid) == 0);
  }
}

std::vector<Caller> callers() {
  if (::geteuid() == 0) return {Caller::Self, Caller::Nobody};
  return {Caller::Self};
}

GateProcess::GateProcess(const SandboxRequest& request, const Stdio& stdio, Caller caller) {
  Pipe pipe = make_pipe();
  arrivals_ = std::move(pipe.out);
  arrivals_in_ = std::move(pipe.in);
  flush_output();
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) be_gate(request, stdio, caller);
  arrivals_in_.reset();
}

void flush_output() {
  std::cout.flush();
  std::fflush(nullptr);
}

GateProcess::~GateProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void GateProcess::be_gate(const SandboxRequest& request, const Stdio& stdio, Caller caller) {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(stdio.in < 0 ? null.get() : stdio.in, STDIN_FILENO);
  ::dup2(stdio.out < 0 ? null.get() : stdio.out, STDOUT_FILENO);
  ::dup2(stdio.err < 0 ? null.get() : stdio.err, STDERR_FILENO);
  // Without an exec in between, this process still has the test's ends of its own pipes.
  const auto kept = static_cast<unsigned>(arrivals_in_.get());
  if (kept > 3) ::close_range(3, kept - 1, 0);
  ::close_range(kept + 1, ~0U, 0);
  (void)null.release();
  become(caller);
  int status = 70;
  {
    auto sandbox = ProcessSandbox::start(request);
    if (!sandbox) ::_exit(fault_status(sandbox.error()));
    FakeGate gate(std::move(sandbox->sockets()),
                  [this](const std::string& line) { say(arrivals_in_.get(), line + "\n"); });
    auto ran = sandbox->run();
    status = ran ? *ran : fault_status(ran.error());
  }
  ::_exit(status);
}

int GateProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<std::string> GateProcess::arrivals() {
  std::vector<std::string> lines(1);
  for (const char c : read_to_end(arrivals_.get())) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back().push_back(c);
    }
  }
  lines.pop_back();
  return lines;
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> bytes;
  ssize_t n = 0;
  while ((n = ::read(fd, bytes.data(), bytes.size())) > 0 || (n < 0 && errno == EINTR)) {
    if (n > 0) text.append(bytes.data(), static_cast<std::size_t>(n));
  }
  return text;
}

Outcome run_inside(const SandboxRequest& request, const std::string& input, Caller caller) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  GateProcess gate(request, {in.out.get(), out.in.get(), err.in.get()}, caller);
  for (UniqueFd* end : {&in.out, &out.in, &err.in})
    end->reset();

  Outcome outcome;
  std::size_t sent = 0;
  ::fcntl(in.in.get(), F_SETFL, O_NONBLOCK);
  while (out.out || err.out) {
    if (sent == input.size()) in.in.reset();
    std::array<pollfd, 3> wait{pollfd{out.out.get(), POLLIN, 0}, pollfd{err.out.get(), POLLIN, 0},
                               pollfd{in.in.get(), POLLOUT, 0}};
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    std::array<char, 65536> bytes;
    for (std::size_t i = 0; i < 2; ++i) {
      if (wait[i].revents == 0) continue;
      const ssize_t n = ::read(wait[i].fd, bytes.data(), bytes.size());
      if (n > 0) {
        (i == 0 ? outcome.out : outcome.err).append(bytes.data(), static_cast<std::size_t>(n));
      }
      if (n == 0) (i == 0 ? out.out : err.out).reset();
    }
    if (wait[2].revents == 0) continue;
    const ssize_t n = ::write(in.in.get(), input.data() + sent, input.size() - sent);
    sent = n < 0 ? input.size() : sent + static_cast<std::size_t>(n);
  }
  outcome.status = gate.wait();
  outcome.arrivals = gate.arrivals();
  return outcome;
}

SandboxRequest request_for(const Folder& folder, std::vector<std::string> command, Caller caller) {
  SandboxRequest request;
  request.command = std::move(command);
  request.working_directory = folder.make_directory("project");
  request.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
                         {"HOME", folder.path("home")},
                         {"LC_ALL", "C.UTF-8"}};
  folder.give_to(caller);
  return request;
}

SandboxRequest python_request(const Folder& folder, const std::string& script, Caller caller) {
  return request_for(folder, {"/usr/bin/python3", "-I", "-c", script}, caller);
}

}  // namespace egret::test
