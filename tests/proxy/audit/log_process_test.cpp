// Several processes on one file, a process that is killed, and a disk that is really full.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <doctest/doctest.h>

#include "proxy/audit/log.h"
#include "proxy/audit/reader.h"
#include "tests/proxy/audit/scratch.h"

using namespace egret;
using namespace egret::audit_test;

namespace {

// Runs `body` in a child process that then exits with what it returns.
template <class Body>
pid_t in_child(Body body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(body());
  return child;
}

int exit_of(pid_t child) {
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("two processes share one file, and each chain holds") {
  constexpr int each = 300;
  const Scratch scratch;
  std::vector<pid_t> children;
  for (const std::string who : {"p", "q"}) {
    children.push_back(in_child([&] {
      const auto log = open_log(scratch.file());
      for (int i = 0; i < each; ++i) {
        if (decide(*log, request(who + std::to_string(i))) == Written::no) return 1;
        log->submit_end(1, response(who + std::to_string(i)));
      }
      return 0;
    }));
  }
  for (const pid_t child : children)
    CHECK(exit_of(child) == 0);
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.torn == 0);
  CHECK(reading.records.size() == 4 * each);
  CHECK(verified(scratch.file()).intact);
}

TEST_CASE("kill -9 loses no decision; the next gate goes on and verify names the cut") {
  const Scratch scratch;
  for (int round = 0; round < 8; ++round) {
    std::array<int, 2> said{};
    REQUIRE(::pipe2(said.data(), O_CLOEXEC) == 0);
    const pid_t child = in_child([&] {
      const auto log = open_log(scratch.file());
      log->submit_end(0, gate("start"));
      for (int i = 0;; ++i) {
        const std::string id = std::to_string(round) + "." + std::to_string(i);
        if (decide(*log, request(id)) == Written::no) return 1;
        const std::string line = id + "\n";  // "the request reached its origin"
        if (::write(said[1], line.data(), line.size()) < 0) return 1;
        log->submit_end(1, response(id));
      }
    });
    ::close(said[1]);
    std::string origin_saw;
    std::array<char, 256> bytes{};
    // Killed after a different amount each time, in the middle of whatever it does.
    while (origin_saw.size() < static_cast<std::size_t>(50 + 300 * round)) {
      const auto got = ::read(said[0], bytes.data(), bytes.size());
      REQUIRE(got > 0);
      origin_saw.append(bytes.data(), static_cast<std::size_t>(got));
    }
    REQUIRE(::kill(child, SIGKILL) == 0);
    CHECK(exit_of(child) == 128 + SIGKILL);
    for (ssize_t got = 1; got > 0;) {
      got = ::read(said[0], bytes.data(), bytes.size());
      if (got > 0) origin_saw.append(bytes.data(), static_cast<std::size_t>(got));
    }
    ::close(said[0]);
    const Reading reading = read_audit(scratch.file());
    CHECK(reading.fault == "");
    std::map<std::string, int> requests;
    for (const auto& record : reading.records) {
      if (record.at("event") == "request") ++requests[record.at("id")];
    }
    std::istringstream ids(origin_saw);
    for (std::string id; std::getline(ids, id);)
      CHECK_MESSAGE(requests[id] == 1, id);
  }
  const VerifyReport cut = verified(scratch.file());
  CHECK_MESSAGE(cut.intact, cut.text);
  CHECK(nlohmann::json::parse(cut.json).at("cuts").size() == 8);
  CHECK(cut.text.find("the gate was cut after seq") != std::string::npos);
  {
    const auto log = open_log(scratch.file());
    log->submit_end(0, gate("start"));
    REQUIRE(decide(*log, request("after")) == Written::yes);
    log->submit_end(0, response("after"));
    log->submit_end(0, gate("stop"));
  }
  const VerifyReport after = verified(scratch.file());
  CHECK_MESSAGE(after.intact, after.text);
  CHECK(nlohmann::json::parse(after.json).at("cuts").size() == 8);
}

TEST_CASE("a full file system refuses decisions and takes them again once there is room") {
  const Scratch scratch;
  const std::string mount = scratch.file("small");
  std::filesystem::create_directory(mount);
  constexpr int cannot_mount = 77;
  const pid_t child = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=64k,mode=700") != 0) {
      return cannot_mount;
    }
    const std::string path = mount + "/audit.jsonl";
    const auto log = open_log(path);
    std::uint64_t written = 0;
    while (decide(*log, request("a")) == Written::yes)
      ++written;
    if (written < 50 || written > 1000) return 2;
    if (decide(*log, request("no")) == Written::yes) return 3;
    Reading reading = read_audit(path);
    if (!reading.fault.empty() || reading.torn != 0) return 4;
    if (reading.records.size() != written) return 5;
    // Room again, for the same file: the mount grows.
    if (::mount("tmpfs", mount.c_str(), "tmpfs", MS_REMOUNT, "size=1m") != 0) return 6;
    decide_until_written(*log, "b");
    reading = read_audit(path);
    if (!reading.fault.empty() || reading.torn != 0) return 7;
    return reading.refused() == log->counters().refused ? 0 : 8;
  });
  const int code = exit_of(child);
  if (code == cannot_mount) {
    MESSAGE("SKIPPED: cannot mount a tmpfs here (needs root)");
    return;
  }
  CHECK(code == 0);
}
