// The log on a disk that fails or hangs: traffic is refused rather than unrecorded, nothing is told
// wrong, and all of it goes away by itself.
#include <cerrno>
#include <condition_variable>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "proxy/audit/log.h"
#include "proxy/audit/slot.h"
#include "proxy/audit/system.h"
#include "tests/proxy/audit/scratch.h"

using namespace egret;
using namespace egret::audit_test;
using std::chrono::milliseconds;

namespace {

// Fails calls `first` to `last`, counted over all kinds from 1. A short write puts half of the
// bytes into the file first, as a full disk does.
class FailingSystem : public AuditSystem {
 public:
  enum class Writes { refused, halved };
  FailingSystem(int first, int last, int error, Writes writes)
      : first_(first), last_(last), error_(error), writes_(writes) {}

  int open(const char* path, int flags, mode_t mode) override {
    return fails() ? -1 : AuditSystem::open(path, flags, mode);
  }
  ssize_t write(int fd, const char* data, std::size_t size) override {
    if (!fails()) return AuditSystem::write(fd, data, size);
    if (writes_ == Writes::halved && size > 1) return AuditSystem::write(fd, data, size / 2);
    return -1;
  }
  int truncate(int fd, off_t size) override {
    return fails() ? -1 : AuditSystem::truncate(fd, size);
  }
  int calls() const { return calls_; }

 private:
  bool fails() {
    const int call = ++calls_;
    errno = error_;
    return call >= first_ && call <= last_;
  }
  std::atomic<int> calls_{0};
  int first_, last_, error_;
  Writes writes_;
};

// Hangs in write while closed, as a dead NFS server or a stopped FUSE process does.
class HangingSystem : public AuditSystem {
 public:
  ssize_t write(int fd, const char* data, std::size_t size) override {
    std::unique_lock lock(mutex_);
    if (hang_) {
      hanging_ = true;
      changed_.notify_all();
    }
    changed_.wait(lock, [this] { return !hang_; });
    hanging_ = false;
    lock.unlock();
    const ssize_t wrote = AuditSystem::write(fd, data, size);
    lock.lock();  // whoever calls hang() later has seen this call end
    return wrote;
  }
  void hang(bool on) {
    const std::lock_guard lock(mutex_);
    hang_ = on;
    changed_.notify_all();
  }
  void wait_until_hanging() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, patience, [this] { return hanging_; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hang_ = false, hanging_ = false;
};

AuditOptions quick(AuditSystem& system) {
  AuditOptions options;
  options.system = &system;
  options.retry_every = milliseconds(1);
  options.end_wait_max = milliseconds(1);
  return options;
}

// Three exchanges one after the other; the ids that the log said yes to.
std::set<std::string> three_exchanges(AuditLog& log) {
  std::set<std::string> recorded;
  for (const std::string id : {"a", "b", "c"}) {
    if (decide(log, request(id)) == Written::no) continue;
    recorded.insert(id);
    log.submit_end(0, response(id));
  }
  return recorded;
}

}  // namespace

TEST_CASE("whichever call fails, for once or a while, what the log said is what the file holds") {
  for (const auto writes : {FailingSystem::Writes::refused, FailingSystem::Writes::halved}) {
    for (const int error : {ENOSPC, EIO, EDQUOT}) {
      for (const int length : {1, 4}) {
        bool failed = true;
        for (int first = 2; failed; ++first) {  // call 1 opens the file: a fault at start
          CAPTURE(first);
          CAPTURE(length);
          const Scratch scratch;
          FailingSystem system(first, first + length - 1, error, writes);
          std::set<std::string> recorded;
          std::uint64_t refused = 0;
          {
            const auto log = open_log(scratch.file(), quick(system));
            recorded = three_exchanges(*log);
            decide_until_written(*log, "last");
            refused = log->counters().refused;
          }
          failed = system.calls() >= first;
          const Reading reading = read_audit(scratch.file());
          CHECK(reading.fault == "");
          CHECK(reading.refused() == refused);
          for (const std::string id : {"a", "b", "c"}) {
            const int expected = recorded.contains(id) ? 1 : 0;
            CHECK(reading.count("request", id) == expected);
            CHECK(reading.count("response", id) == expected);
          }
          CHECK(verified(scratch.file()).intact);
          REQUIRE(first < 100);
        }
      }
    }
  }
}

TEST_CASE("a fault while opening is told with its path and a remedy") {
  const Scratch scratch;
  FailingSystem system(1, 1, EROFS, FailingSystem::Writes::refused);
  const auto log = AuditLog::open(scratch.file(), 1, quick(system));
  REQUIRE_FALSE(log.has_value());
  CHECK(log.error().what.find(scratch.file()) != std::string::npos);
  CHECK(log.error().what.find("audit.file") != std::string::npos);
}

TEST_CASE("a torn write is cut away where nobody else writes, and closed where somebody does") {
  for (const bool shared : {false, true}) {
    CAPTURE(shared);
    const Scratch scratch;
    FailingSystem system(2, 2, ENOSPC, FailingSystem::Writes::halved);
    const auto other = shared ? open_log(scratch.file()) : nullptr;
    const auto log = open_log(scratch.file(), quick(system));
    CHECK(decide(*log, request("a")) == Written::no);
    if (other) REQUIRE(decide(*other, request("o")) == Written::yes);
    decide_until_written(*log, "b");
    const Reading reading = read_audit(scratch.file());
    CHECK(reading.torn == (shared ? 1 : 0));
    CHECK(verified(scratch.file()).intact);
  }
}

TEST_CASE(
    "while the disk is full every decision is refused, ends are kept in order, then all is told") {
  const Scratch scratch;
  AuditSystem real;
  class Full : public AuditSystem {
   public:
    ssize_t write(int fd, const char* data, std::size_t size) override {
      if (!full) return AuditSystem::write(fd, data, size);
      errno = ENOSPC;
      return -1;
    }
    std::atomic<bool> full{false};
  } system;
  const auto log = open_log(scratch.file(), quick(system));
  REQUIRE(decide(*log, request("a")) == Written::yes);
  REQUIRE(decide(*log, request("b")) == Written::yes);
  system.full = true;
  log->submit_end(0, response("a"));
  for (int i = 0; i < 10; ++i)
    CHECK(decide(*log, request("no")) == Written::no);
  CHECK(log->counters().failing);
  log->submit_end(0, response("b"));
  CHECK(decide(*log, request("no")) == Written::no);
  system.full = false;
  const int more = decide_until_written(*log, "c");
  CHECK_FALSE(log->counters().failing);
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.count("request", "no") == 0);
  CHECK(reading.refused() == 11 + static_cast<std::uint64_t>(more));
  std::string order;
  for (const auto& record : reading.records) {
    if (record.at("event") == "response") order += record.at("id").get<std::string>();
  }
  CHECK(order == "ab");
}

TEST_CASE("kept ends have a limit, and what goes over it is counted") {
  const Scratch scratch;
  FailingSystem system(2, 1'000'000, ENOSPC, FailingSystem::Writes::refused);
  AuditOptions options = quick(system);
  options.kept_bytes_max = 1000;
  options.drain_max = milliseconds(1);
  const auto log = open_log(scratch.file(), options);
  CHECK(decide(*log, request("a")) == Written::no);
  for (int i = 0; i < 100; ++i)
    log->submit_end(0, response("e"));
  CHECK(decide(*log, request("b")) == Written::no);
  CHECK(log->counters().lost > 90);
}

TEST_CASE("ends that come while a write hangs have a limit too") {
  const Scratch scratch;
  HangingSystem system;
  AuditOptions options = quick(system);
  options.kept_bytes_max = 8000;
  const auto log = open_log(scratch.file(), options);
  REQUIRE(decide(*log, request("before")) == Written::yes);
  system.hang(true);
  log->submit_end(0, response("before"));
  system.wait_until_hanging();
  for (int i = 0; i < 1000; ++i)
    log->submit_end(0, response("e"));
  const std::uint64_t lost = log->counters().lost;
  CHECK(lost > 900);
  CHECK(lost < 1000);
  system.hang(false);
  REQUIRE(decide_until_written(*log, "after") >= 0);
  log->submit_end(0, response("later"));
  REQUIRE(decide(*log, request("last")) == Written::yes);
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.count("response", "e") == 1000 - lost);
  CHECK_MESSAGE(reading.count("response", "later") == 1, "room again once they were taken");
}

TEST_CASE(
    "a hanging write refuses those who wait and those who come, and closes what came through") {
  const Scratch scratch;
  HangingSystem system;
  AuditOptions options = quick(system);
  options.stall_max = milliseconds(20);
  const auto log = open_log(scratch.file(), options);
  REQUIRE(decide(*log, request("before")) == Written::yes);

  system.hang(true);
  auto allowed = decide_later(*log, 0, request("allowed"));
  system.wait_until_hanging();
  auto denied = decide_later(*log, 0, request("denied", AuditDecision::deny));
  log->submit_end(1, response("before"));
  CHECK(answer_of(allowed) == Written::no);
  CHECK(answer_of(denied) == Written::no);
  CHECK(decide(*log, request("new")) == Written::no);
  CHECK(log->counters().failing);

  system.hang(false);
  const int more = decide_until_written(*log, "after");
  REQUIRE(decide(*log, request("last")) == Written::yes);
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.count("request", "allowed") == 1);
  CHECK_MESSAGE(reading.count("response", "allowed") == 1, "closed by the log itself");
  CHECK(reading.count("request", "denied") == 0);
  CHECK(reading.count("request", "new") == 0);
  CHECK(reading.count("response", "before") == 1);
  CHECK(reading.refused() == 3 + static_cast<std::uint64_t>(more));
  for (const auto& record : reading.records) {
    if (record.at("event") != "response" || record.at("id") != "allowed") continue;
    CHECK(record.at("error") == "audit_unavailable");
    CHECK(record.at("sandbox") == "web");
  }
}

TEST_CASE("closing a log whose disk hangs neither hangs nor breaks when the disk comes back") {
  const Scratch scratch;
  HangingSystem system;
  AuditOptions options = quick(system);
  options.drain_max = milliseconds(1);
  std::future<Written> answer;
  {
    const auto log = open_log(scratch.file(), options);
    system.hang(true);
    answer = decide_later(*log, 0, request("a"));
    system.wait_until_hanging();
  }
  CHECK(answer_of(answer) == Written::no);
  const int fd = ::open(scratch.file().c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(slot_held(fd, 0));
  system.hang(false);
  while (slot_held(fd, 0)) {
    std::this_thread::yield();  // until the writer has left
  }
  system.hang(false);
  ::close(fd);
}

TEST_CASE("past the file size limit decisions are refused, and the process lives") {
  const Scratch scratch;
  AuditSystem system;
  const auto log = open_log(scratch.file(), quick(system));
  REQUIRE(decide(*log, request("a")) == Written::yes);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(scratch.file()) + 100;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Written over = decide(*log, request("b"));
  const auto size = std::filesystem::file_size(scratch.file());
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(over == Written::no);
  CHECK_MESSAGE(size == small.rlim_cur - 100, "the torn line was cut away");
  decide_until_written(*log, "c");
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.torn == 0);
  CHECK(reading.count("request", "b") == 0);
}

TEST_CASE("a FIFO gives its reader every line; full or left alone it refuses, and recovers") {
  const Scratch scratch;
  const std::string path = scratch.file("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  AuditSystem system;
  const auto log = open_log(path, quick(system));
  REQUIRE(decide(*log, request("a")) == Written::yes);
  std::string line(4096, '\0');
  const auto got = ::read(reader, line.data(), line.size());
  REQUIRE(got > 0);
  line.resize(static_cast<std::size_t>(got));
  CHECK(nlohmann::json::parse(line).at("id") == "a");

  int sent = 0;
  while (decide(*log, request("fill")) == Written::yes)
    REQUIRE(++sent < 10'000);
  CHECK(sent > 10);
  std::string bytes(1 << 20U, '\0');
  REQUIRE(::read(reader, bytes.data(), bytes.size()) > 0);
  decide_until_written(*log, "again");

  ::close(reader);
  CHECK(decide(*log, request("alone")) == Written::no);
  reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  decide_until_written(*log, "back");
  ::close(reader);
}

TEST_CASE("a device without room refuses, always") {
  if (::access("/dev/full", W_OK) != 0) {
    MESSAGE("SKIPPED: no /dev/full here");
    return;
  }
  AuditSystem system;
  AuditOptions options = quick(system);
  options.drain_max = milliseconds(1);
  const auto log = open_log("/dev/full", options);
  for (int i = 0; i < 5; ++i)
    CHECK(decide(*log, request("a")) == Written::no);
  CHECK(log->counters().records == 0);
  CHECK(log->counters().refused == 5);
}

TEST_CASE("a directory that went away refuses until it can be made again") {
  const Scratch scratch;
  AuditSystem system;
  const std::string path = scratch.file("dir/audit.jsonl");
  const auto log = open_log(path, quick(system));
  REQUIRE(decide(*log, request("a")) == Written::yes);
  std::filesystem::remove_all(scratch.file("dir"));
  write_bytes(scratch.file("dir"), "in the way");
  CHECK(decide(*log, request("b")) == Written::no);
  std::filesystem::remove(scratch.file("dir"));
  decide_until_written(*log, "c");
  CHECK(read_audit(path).count("request", "c") == 1);
}
