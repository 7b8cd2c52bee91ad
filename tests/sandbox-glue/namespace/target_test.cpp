#include "sandbox-glue/namespace/target.h"

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace egret {
namespace {

bool says(const Result<NamespaceTarget, SetupFault>& target, const char* words) {
  return !target && target.error().what.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("the namespace that this process is in is the host's, and refused") {
  CHECK(says(target_at_path("/proc/self/ns/net"), "host's own"));
  CHECK(says(target_of_process(::getpid()), "host's own"));
}

TEST_CASE("what is no network namespace is refused") {
  for (const char* path : {"/etc/passwd", "/dev/null", "/", "/proc/self/ns/user"}) {
    CAPTURE(path);
    CHECK(says(target_at_path(path), "is no network namespace"));
  }
  CHECK(says(target_at_path("/there/is/none"), "No such file"));
}

TEST_CASE("a process that has ended is refused") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  CHECK(says(target_of_process(child), "there is no process"));
  CHECK(says(target_of_process(0), "number from 1"));
  CHECK(says(target_of_process(-1), "number from 1"));
}

TEST_CASE("what could be an option or more than a word never reaches a tool") {
  for (const char* id : {"", "-l", "--all", "a b", "a;b", "$(id)", "a\nb", "../x", "ü"}) {
    CAPTURE(id);
    CHECK(says(target_of_container(id), "is no container name"));
  }
}

TEST_CASE("an identity is that of the file, whatever its path") {
  CHECK(identity_at("/proc/self/ns/net") == identity_at("/proc/thread-self/ns/net"));
  CHECK(identity_at("/proc/self/ns/net") != identity_at("/proc/self/ns/user"));
  CHECK(identity_at("/there/is/none").empty());
}

}  // namespace egret
