#include "proxy/secrets/source.h"

#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/certs/temporary_directory.h"

using namespace egret;
using namespace egret::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* value = "canary-value-0123456789";

// The value, or the fault's text after `! `.
template <class Source>
std::string outcome(const Source& from) {
  const auto secret = read_secret("API_KEY", from);
  return secret ? std::string(secret->reveal()) : "! " + secret.error().what;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

SecretSourceExec shell(const std::string& script) {
  return SecretSourceExec{{"/bin/sh", "-c", script}};
}

std::string read_within(const SecretSourceExec& from, std::chrono::milliseconds limit) {
  const auto secret = read_secret("API_KEY", from, limit);
  return secret ? std::string(secret->reveal()) : "! " + secret.error().what;
}

// Orphans become children of this process while it lives, so that their end can be waited for.
class Adoption {
 public:
  Adoption() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;
  ~Adoption() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }

  static bool was_killed(const std::string& pid_file) {
    const pid_t pid = static_cast<pid_t>(std::stol(read_file(pid_file)));
    int status = 0;
    return ::waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
};

}  // namespace

TEST_CASE("a secret is read from a variable of the environment") {
  ::setenv("EGRET_TEST_SECRET", value, 1);
  CHECK(outcome(SecretSourceEnv{"EGRET_TEST_SECRET"}) == value);
  CHECK(outcome(SecretSource{SecretSourceEnv{"EGRET_TEST_SECRET"}}) == value);
  ::unsetenv("EGRET_TEST_SECRET");
  const std::string missing = outcome(SecretSourceEnv{"EGRET_TEST_SECRET"});
  CHECK(holds(missing, "! secret API_KEY: environment variable EGRET_TEST_SECRET: is not set"));
}

TEST_CASE("a forgotten variable is gone from the environment and from its old place in memory") {
  ::setenv("EGRET_TEST_SECRET", value, 1);
  const char* place = std::getenv("EGRET_TEST_SECRET");
  forget_variable("EGRET_TEST_SECRET");
  CHECK(std::getenv("EGRET_TEST_SECRET") == nullptr);
  CHECK(*place == '\0');
  CHECK(place[5] == '\0');
  forget_variable("EGRET_TEST_SECRET");
}

TEST_CASE("a value that would break syntax or is no secret is refused from every source") {
  struct Case {
    const char* what;
    std::string raw;
    bool accepted;
  };
  using std::string_literals::operator""s;
  const Case cases[] = {
      {"plain", value, true},
      {"one newline at the end", value + "\n"s, true},
      {"CRLF at the end", value + "\r\n"s, true},
      {"two newlines", value + "\n\n"s, false},
      {"a header after it", value + "\r\nHost: evil.test"s, false},
      {"NUL", value + "\0x"s, false},
      {"not ASCII", value + "\xc3\xa9"s, false},
      {"empty", "", false},
      {"only a newline", "\n", false},
      {"seven bytes", "1234567", false},
      {"eight bytes", "12345678", true},
      {"8 KiB", std::string(8192, 'x'), true},
      {"8 KiB and a newline", std::string(8192, 'x') + "\r\n", true},
      {"over 8 KiB", std::string(8193, 'x'), false},
      {"far over 8 KiB", std::string(1 << 20, 'x'), false},
  };
  const TemporaryDirectory directory;
  const std::string path = directory / "secret";
  for (const Case& c : cases) {
    CAPTURE(c.what);
    write_file(path, c.raw);
    for (const std::string& seen :
         {outcome(SecretSourceFile{path}), outcome(SecretSourceExec{{"cat", path}})}) {
      CHECK((seen.front() != '!') == c.accepted);
      if (c.accepted) {
        CHECK(holds(c.raw, seen));
      } else {
        CHECK(holds(seen, "secret API_KEY: "));
        CHECK_FALSE(holds(seen, "canary"));
      }
    }
  }
}

TEST_CASE("a secret file that is not its owner's alone, or no file, is refused in words") {
  struct Case {
    const char* what;
    std::function<void(const std::string&)> make;
    const char* says;  // null: accepted
  };
  const auto file = [](int mode) {
    return [mode](const std::string& path) { write_file(path, value, mode); };
  };
  const Case cases[] = {
      {"0600", file(0600), nullptr},
      {"0400", file(0400), nullptr},
      {"group may read", file(0640), "chmod 600"},
      {"others may read", file(0604), "chmod 600"},
      {"others may write", file(0602), "chmod 600"},
      {"missing", [](const std::string&) {}, "No such file"},
      {"a link",
       [](const std::string& path) {
         write_file(path + ".real", value);
         REQUIRE(::symlink((path + ".real").c_str(), path.c_str()) == 0);
       },
       "symbolic link"},
      {"a FIFO", [](const std::string& path) { ::mkfifo(path.c_str(), 0600); },
       "not a regular file"},
      {"a directory", [](const std::string& path) { ::mkdir(path.c_str(), 0700); },
       "not a regular file"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const TemporaryDirectory directory;
    const std::string path = directory / "secret";
    c.make(path);
    const std::string seen = outcome(SecretSourceFile{path});
    if (c.says == nullptr) {
      CHECK(seen == value);
    } else {
      CHECK(holds(seen, "! secret API_KEY: file " + path + ": "));
      CHECK(holds(seen, c.says));
      CHECK_FALSE(holds(seen, "canary"));
    }
  }
  CHECK(holds(outcome(SecretSourceFile{"/dev/null"}), "not a regular file"));
}

TEST_CASE("a credential is a file in the folder that the service manager names") {
  const TemporaryDirectory directory;
  write_file(directory / "api-key", std::string(value) + "\n", 0400);
  const SecretSourceCredential from{"api-key"};
  ::setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1);
  CHECK(outcome(from) == value);
  CHECK(outcome(SecretSource{from}) == value);
  CHECK(credential_path(from) == directory / "api-key");
  CHECK(holds(outcome(SecretSourceCredential{"other"}), "LoadCredential=other"));
  write_file(directory / "open", value, 0444);
  CHECK(holds(outcome(SecretSourceCredential{"open"}), "other users may read"));
  ::setenv("CREDENTIALS_DIRECTORY", "relative", 1);
  CHECK(holds(outcome(from), "is not set"));
  ::unsetenv("CREDENTIALS_DIRECTORY");
  CHECK(holds(outcome(from), "! secret API_KEY: credential api-key: $CREDENTIALS_DIRECTORY"));
  CHECK_FALSE(credential_path(from));
}

TEST_CASE("a credential that stays root's may name its reader in an access list") {
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: only root can make a file of root's");
    return;
  }
  const TemporaryDirectory directory;
  ::setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1);
  const std::string path = directory / "api-key";
  write_file(path, value, 0440);  // the mask of the list is where the group's bits are
  CHECK(outcome(SecretSourceCredential{"api-key"}) == value);
  CHECK(holds(outcome(SecretSourceFile{path}), "other users may read"));
  for (const int mode : {0460, 0444, 0441}) {
    CAPTURE(mode);
    write_file(path, value, mode);
    CHECK(holds(outcome(SecretSourceCredential{"api-key"}), "other users may read"));
  }
  write_file(path, value, 0440);
  REQUIRE(::chown(path.c_str(), 0, 65534) == 0);
  CHECK(holds(outcome(SecretSourceCredential{"api-key"}), "other users may read"));
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_CASE("a secret file of another user is refused, root's own is accepted") {
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: only root can make a file of another user");
    return;
  }
  const TemporaryDirectory directory;
  write_file(directory / "secret", value);
  REQUIRE(::chown((directory / "secret").c_str(), 65534, 65534) == 0);
  CHECK(holds(outcome(SecretSourceFile{directory / "secret"}), "belongs to user 65534"));
}

TEST_CASE("a program's output is the secret; it sees our environment and nothing else of ours") {
  ::setenv("EGRET_TEST_SECRET", value, 1);
  CHECK(outcome(shell("printf %s \"$EGRET_TEST_SECRET\"")) == value);
  ::unsetenv("EGRET_TEST_SECRET");
  CHECK(outcome(SecretSourceExec{{"printf", "%s", "$HOME; not a shell"}}) == "$HOME; not a shell");

  const int ours = ::fcntl(0, F_DUPFD, 100);  // inheritable
  const std::string seen =
      outcome(shell("cd /proc/self/fd; echo open: * of $(readlink 0) $(readlink 2)"));
  ::close(ours);
  CHECK(holds(seen, "of /dev/null /dev/null"));
  CHECK_FALSE(holds(seen, " " + std::to_string(ours) + " "));
  CHECK(outcome(shell("cat; echo canary-end-of-stdin")) == "canary-end-of-stdin");
}

TEST_CASE("a program gets signals as if nobody had blocked or ignored any") {
  sigset_t term;
  sigset_t before;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  CHECK(holds(outcome(shell("kill -TERM $$; echo canary-not-killed")), "killed by signal 15"));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a program that fails is told by its status, never by what it printed") {
  struct Case {
    SecretSourceExec from;
    const char* says;
  };
  const Case cases[] = {
      {shell("echo canary-out; echo canary-err >&2; exit 3"), "exited with status 3"},
      {shell("echo canary-out; kill -KILL $$"), "was killed by signal 9"},
      {shell("exit 0"), "the secret is empty"},
      {shell("yes canary"), "more than 8 KiB"},
      {SecretSourceExec{{"/nowhere/canary-tool"}}, "cannot be started: No such file"},
      {SecretSourceExec{{"/"}}, "cannot be started"},
      {SecretSourceExec{{}}, "names no program"},
      {SecretSourceExec{{""}}, "names no program"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.says);
    const std::string seen = outcome(c.from);
    CHECK(holds(seen, "! secret API_KEY: "));
    CHECK(holds(seen, c.says));
    CHECK_FALSE(holds(seen, "canary-out"));
    CHECK_FALSE(holds(seen, "canary-err"));
  }
}

TEST_CASE("a program that takes too long is killed with its children") {
  const Adoption orphans;
  const TemporaryDirectory directory;
  const std::string pid_file = directory / "pid";
  const std::string seen =
      read_within(shell("sleep 30 & echo $! > " + pid_file + "; echo canary-out; wait"), 300ms);
  CHECK(holds(seen, "took longer than 300 ms and was killed"));
  CHECK_FALSE(holds(seen, "canary-out"));
  CHECK(orphans.was_killed(pid_file));
}

TEST_CASE("a program that closes its output and goes on is still held to its time") {
  CHECK(holds(read_within(shell("echo canary-out; exec 1>&-; sleep 30"), 200ms), "took longer"));
}

TEST_CASE("a program that leaves a child with its output open does not hold us up") {
  const Adoption orphans;
  const TemporaryDirectory directory;
  const std::string pid_file = directory / "pid";
  const std::string script = "sleep 30 & echo $! > " + pid_file + "; echo canary-value; ";
  CHECK(read_within(shell(script), 60s) == "canary-value");
  ::kill(static_cast<pid_t>(std::stol(read_file(pid_file))), SIGKILL);
  CHECK(orphans.was_killed(pid_file));
  CHECK(holds(read_within(shell(script + "exit 1"), 60s), "exited with status 1"));
  CHECK(orphans.was_killed(pid_file));
}

TEST_CASE("a program is waited for and leaves no descriptor behind") {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
  };
  outcome(shell("exit 0"));
  const auto before = count();
  for (int i = 0; i < 5; ++i)
    outcome(shell("exit 1"));
  CHECK(count() == before);
}
