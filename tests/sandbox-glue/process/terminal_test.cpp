// A person at a terminal, played by a pseudo-terminal of the test's own.
#include <array>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <doctest/doctest.h>

#include "tests/sandbox-glue/support/gate_process.h"

namespace egret::test {
namespace {

constexpr int patience_ms = 20000;

// The gate as a shell would start it: session leader's child in the foreground of a terminal.
class Person {
 public:
  enum class Output { Terminal, Elsewhere };

  Person(const SandboxRequest& request, Output output, int elsewhere = -1) {
    winsize size{31, 97, 0, 0};
    int keyboard = -1;
    REQUIRE(::openpty(&keyboard, &screen_side_, nullptr, nullptr, &size) == 0);
    keyboard_ = UniqueFd(keyboard);
    ::fcntl(keyboard, F_SETFD, FD_CLOEXEC);
    ::tcgetattr(screen_side_, &before_);
    flush_output();
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::login_tty(screen_side_);
      if (output == Output::Elsewhere) ::dup2(elsewhere, STDOUT_FILENO);
      ::close_range(3, ~0U, 0);
      (void)keyboard_.release();
      auto sandbox = ProcessSandbox::start(request);
      if (!sandbox) ::_exit(77);
      auto ran = sandbox->run();
      ::_exit(ran ? *ran : 77);
    }
  }
  ~Person() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(screen_side_);
  }
  Person(const Person&) = delete;
  Person& operator=(const Person&) = delete;

  void type(const std::string& keys) {
    REQUIRE(::write(keyboard_.get(), keys.data(), keys.size()) ==
            static_cast<ssize_t>(keys.size()));
  }

  // Whether `text` shows up on the screen after what was seen before.
  bool sees(const std::string& text) {
    while (true) {
      const std::size_t at = screen_.find(text, seen_);
      if (at != std::string::npos) {
        seen_ = at + text.size();
        return true;
      }
      pollfd wait{keyboard_.get(), POLLIN, 0};
      if (::poll(&wait, 1, patience_ms) != 1) return false;
      char bytes[1024];
      const ssize_t n = ::read(keyboard_.get(), bytes, sizeof(bytes));
      if (n <= 0) return false;
      screen_.append(bytes, static_cast<std::size_t>(n));
    }
  }

  void resize(unsigned short rows, unsigned short columns) {
    winsize size{rows, columns, 0, 0};
    REQUIRE(::ioctl(keyboard_.get(), TIOCSWINSZ, &size) == 0);
  }

  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  bool terminal_is_as_before() const {
    termios now{};
    ::tcgetattr(screen_side_, &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           now.c_oflag == before_.c_oflag;
  }

  pid_t pid() const { return pid_; }
  const std::string& screen() const { return screen_; }

 private:
  UniqueFd keyboard_;
  int screen_side_ = -1;
  termios before_{};
  pid_t pid_ = -1;
  std::string screen_;
  std::size_t seen_ = 0;
};

}  // namespace

TEST_CASE("a command at a terminal has one of its own, of the same size") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Person person(request_for(folder, {"sh", "-c", "tty; stty size; read x; stty size; exit 5"}),
                Person::Output::Terminal);
  REQUIRE(person.sees("/dev/pts/0\r\n31 97\r\n"));
  person.resize(44, 120);
  person.type("\n");
  CHECK(person.sees("44 120\r\n"));
  CHECK(person.wait() == 5);
  CHECK(person.terminal_is_as_before());
}

TEST_CASE("typed keys are echoed once and read as a line") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Person person(request_for(folder, {"sh", "-c", "echo ready; read x; echo got=$x"}),
                Person::Output::Terminal);
  REQUIRE(person.sees("ready\r\n"));
  person.type("wordz\n");
  CHECK(person.sees("got=wordz\r\n"));
  CHECK(person.wait() == 0);
  const std::string& screen = person.screen();
  CHECK(screen.find("wordz") != std::string::npos);
  CHECK(screen.find("wordz\r\nwordz") == std::string::npos);
}

TEST_CASE("Ctrl-C reaches the command once and does not end the sandbox") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Person person(python_request(folder, R"(
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
for turn in (1, 2):
    print('ready', turn, flush=True)
    signal.sigwait({signal.SIGINT})
    print('interrupted', turn, flush=True)
raise SystemExit(9)
)"),
                Person::Output::Terminal);
  for (const std::string turn : {"1", "2"}) {
    REQUIRE(person.sees("ready " + turn));
    person.type("\x03");
    CHECK(person.sees("interrupted " + turn));
  }
  CHECK(person.wait() == 9);
}

TEST_CASE("a shell inside has job control") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Person person(request_for(folder, {"bash", "--norc", "--noprofile", "-i"}),
                Person::Output::Terminal);
  person.type("PS1='$ '; echo up$((1+1))\n");
  REQUIRE(person.sees("up2\r\n"));
  person.type("sh -c 'echo in; kill -STOP $$; echo back'\n");
  REQUIRE(person.sees("Stopped"));
  person.type("fg\n");
  CHECK(person.sees("back\r\n"));
  person.type("sh -c 'echo on$((1+1)); exec sleep 1000'\n");
  REQUIRE(person.sees("on2\r\n"));
  person.type("\x1a");
  CHECK(person.sees("Stopped"));
  person.type("kill %1; exit 3\n");
  person.type("exit 3\n");
  CHECK(person.wait() == 3);
  CHECK(person.screen().find("no job control") == std::string::npos);
}

TEST_CASE("only descriptors that were terminals become one") {
  if (!sandbox_possible()) return;
  const Folder folder;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  Person person(request_for(folder, {"sh", "-c",
                                     "test -t 0 && echo 0; test -t 1 && echo 1; test -t 2 && "
                                     "echo 2; echo screen >&2"}),
                Person::Output::Elsewhere, in.get());
  in.reset();
  CHECK(read_to_end(out.get()) == "0\n2\n");
  CHECK(person.sees("screen\r\n"));
  CHECK(person.wait() == 0);
}

TEST_CASE("the terminal is as it was after the gate is told to stop") {
  if (!sandbox_possible()) return;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    const Folder folder;
    Person person(request_for(folder, {"sh", "-c", "echo ready; exec sleep 1000"}),
                  Person::Output::Terminal);
    REQUIRE(person.sees("ready\r\n"));
    CHECK_FALSE(person.terminal_is_as_before());
    ::kill(person.pid(), number);
    CHECK(person.wait() == 128 + number);
    CHECK(person.terminal_is_as_before());
  }
}

TEST_CASE("all of a command's last words are shown") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Person person(request_for(folder, {"sh", "-c", "seq 1 20000; echo the end"}),
                Person::Output::Terminal);
  CHECK(person.sees("\r\n19999\r\n20000\r\nthe end\r\n"));
  CHECK(person.wait() == 0);
}

TEST_CASE("the person's own terminal is nowhere inside") {
  if (!sandbox_possible()) return;
  const Folder folder;
  Person person(request_for(folder, {"sh", "-c", "ls -m /dev/pts; readlink /proc/self/fd/0"}),
                Person::Output::Terminal);
  CHECK(person.sees("0, ptmx\r\n/dev/pts/0\r\n"));
  CHECK(person.wait() == 0);
}

}  // namespace egret::test
