// The log on a disk that works: what is promised to one caller, to many, and over restarts.
#include "proxy/audit/log.h"

#include <atomic>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>

#include <doctest/doctest.h>

#include "tests/proxy/audit/scratch.h"

using namespace egret;
using namespace egret::audit_test;

TEST_CASE("opening writes nothing and makes the file for its owner alone") {
  const Scratch scratch;
  const std::string path = scratch.file("deep/er/audit.jsonl");
  const auto log = open_log(path);
  struct stat file {};
  struct stat directory {};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  REQUIRE(::stat(scratch.file("deep").c_str(), &directory) == 0);
  CHECK(file.st_size == 0);
  CHECK((file.st_mode & 07777) == 0600);
  CHECK((directory.st_mode & 07777) == 0700);
}

TEST_CASE("a decision is in the file before its caller hears yes") {
  const Scratch scratch;
  const auto log = open_log(scratch.file());
  for (int i = 0; i < 20; ++i) {
    const std::string id = "x" + std::to_string(i);
    REQUIRE(decide(*log, request(id)) == Written::yes);
    CHECK(read_audit(scratch.file()).count("request", id) == 1);
  }
}

TEST_CASE("ends ride along with the next decision, and do not wait for it for ever") {
  const Scratch scratch;
  AuditOptions options;
  options.end_wait_max = std::chrono::hours(1);
  {
    const auto log = open_log(scratch.file(), options);
    log->submit_end(0, response("a"));
    REQUIRE(decide(*log, request("b")) == Written::yes);
    CHECK(read_audit(scratch.file()).count("response", "a") == 1);
    log->submit_end(1, response("b"));
  }
  CHECK_MESSAGE(read_audit(scratch.file()).count("response", "b") == 1, "written when closing");

  options.end_wait_max = std::chrono::milliseconds(1);
  const auto log = open_log(scratch.file(), options);
  log->submit_end(0, response("c"));
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (read_audit(scratch.file()).count("response", "c") == 0) {
    REQUIRE(std::chrono::steady_clock::now() < give_up);
    std::this_thread::yield();
  }
}

TEST_CASE("a restart continues the chain, from any size of file") {
  const Scratch scratch;
  for (int round = 0; round < 6; ++round) {
    const auto log = open_log(scratch.file());
    for (int i = 0; i < 300 * round; ++i)
      log->submit_end(0, response("filler"));
    REQUIRE(decide(*log, request("r" + std::to_string(round))) == Written::yes);
  }
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.records.size() == 6 + 300 * 15);
}

TEST_CASE("a torn last line is closed, wherever it broke off, and the chain goes on") {
  const Scratch scratch;
  {
    const auto log = open_log(scratch.file());
    REQUIRE(decide(*log, request("a")) == Written::yes);
    REQUIRE(decide(*log, request("b")) == Written::yes);
  }
  const std::string whole = bytes_of(scratch.file());
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t cut = last; cut <= whole.size(); ++cut) {
    write_bytes(scratch.file(), whole.substr(0, cut));
    {
      const auto log = open_log(scratch.file());
      REQUIRE(decide(*log, request("c")) == Written::yes);
    }
    const Reading reading = read_audit(scratch.file());
    CAPTURE(cut);
    CHECK(reading.fault == "");
    CHECK(reading.torn == (cut > last && cut < whole.size() - 1 ? 1 : 0));
    CHECK(bytes_of(scratch.file()).find("\n\n") == std::string::npos);
    const VerifyReport report = verified(scratch.file());
    CHECK_MESSAGE(report.intact, report.text);
  }
}

TEST_CASE("workers that write at once keep their own order, and every line is whole") {
  constexpr unsigned lanes = 4;
  constexpr int each = 300;
  const Scratch scratch;
  std::atomic<int> refused{0};
  {
    const auto log = open_log(scratch.file(), {}, lanes);
    std::vector<std::thread> workers;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      workers.emplace_back([&log, &refused, lane] {
        for (int i = 0; i < each; ++i) {
          const std::string id = std::to_string(lane) + "-" + std::to_string(i);
          if (decide(*log, request(id), lane) == Written::no) ++refused;
          log->submit_end(lane, response(id));
        }
      });
    }
    for (auto& worker : workers)
      worker.join();
  }
  CHECK(refused == 0);
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.torn == 0);
  CHECK(reading.records.size() == 2 * lanes * each);
  std::map<std::string, int> seen;
  for (const auto& record : reading.records) {
    int& halves = seen[record.at("id")];
    CHECK(record.at("event") == (halves == 0 ? "request" : "response"));
    ++halves;
  }
}

TEST_CASE("two logs on one file have a chain each, and a free slot is taken again") {
  const Scratch scratch;
  auto first = open_log(scratch.file());
  const auto second = open_log(scratch.file());
  for (int i = 0; i < 50; ++i) {
    REQUIRE(decide(*first, request("f")) == Written::yes);
    REQUIRE(decide(*second, request("s")) == Written::yes);
  }
  first.reset();
  const auto third = open_log(scratch.file());
  REQUIRE(decide(*third, request("t")) == Written::yes);
  const Reading reading = read_audit(scratch.file());
  CHECK(reading.fault == "");
  CHECK(reading.records.size() == 101);
  CHECK(reading.records.back().at("w") == 0);
  CHECK(reading.records.back().at("seq") == 51);
}

TEST_CASE("a file moved away is left behind whole, and the chain goes on in a new one") {
  const Scratch scratch;
  AuditOptions options;
  options.retry_every = std::chrono::milliseconds(0);  // looks at the path before every write
  const auto log = open_log(scratch.file(), options);
  REQUIRE(decide(*log, request("a")) == Written::yes);
  std::filesystem::rename(scratch.file(), scratch.file("audit.jsonl.1"));
  REQUIRE(decide(*log, request("b")) == Written::yes);
  const auto before = lines_of(scratch.file("audit.jsonl.1"));
  const auto after = lines_of(scratch.file());
  REQUIRE(before.size() == 1);
  REQUIRE(after.size() == 1);
  const auto record = nlohmann::json::parse(after[0]);
  CHECK(record.at("seq") == 2);
  CHECK(record.at("prev") == sha256(before[0]));
  const VerifyReport report = verified(scratch.file());
  CHECK_MESSAGE(report.intact, report.text);
}

TEST_CASE("a removed file is made again before the next record") {
  const Scratch scratch;
  const auto log = open_log(scratch.file());
  for (int i = 0; i < 5; ++i) {
    std::filesystem::remove(scratch.file());
    REQUIRE(decide(*log, request("a")) == Written::yes);
    CHECK(lines_of(scratch.file()).size() == 1);
  }
  std::filesystem::remove(scratch.file());
  write_bytes(scratch.file(), "");
  std::filesystem::permissions(scratch.file(), std::filesystem::perms(0600));
  REQUIRE(decide(*log, request("b")) == Written::yes);
  CHECK_MESSAGE(lines_of(scratch.file()).size() == 1, "another file at the same path");
}

TEST_CASE("a place where an agent could meddle is refused in words") {
  const Scratch scratch;
  namespace fs = std::filesystem;
  const auto refused = [&](const std::string& path) {
    const auto log = AuditLog::open(path, 1);
    return log ? std::string("opened") : log.error().what;
  };
  write_bytes(scratch.file("real"), "");
  fs::permissions(scratch.file("real"), fs::perms(0600));
  fs::create_symlink(scratch.file("real"), scratch.file("link"));
  CHECK(refused(scratch.file("link")).find("symbolic link") != std::string::npos);
  CHECK(refused(scratch.file("link")).find(scratch.file("link")) != std::string::npos);
  fs::create_hard_link(scratch.file("real"), scratch.file("hard"));
  CHECK(refused(scratch.file("hard")).find("hard links") != std::string::npos);
  fs::remove(scratch.file("hard"));
  CHECK(refused(scratch.file("real")) == "opened");
  fs::permissions(scratch.file("real"), fs::perms(0620));
  CHECK(refused(scratch.file("real")).find("chmod 600") != std::string::npos);
  fs::create_directory(scratch.file("open"));
  fs::permissions(scratch.file("open"), fs::perms(0777));
  CHECK(refused(scratch.file("open/audit.jsonl")).find("chmod o-w") != std::string::npos);
  fs::permissions(scratch.file("open"), fs::perms(01777));
  CHECK(refused(scratch.file("open/audit.jsonl")) == "opened");
  CHECK(refused(scratch.file("open")).find("directory") != std::string::npos);
  CHECK(refused("").find("audit.file") != std::string::npos);
  REQUIRE(::mkfifo(scratch.file("fifo").c_str(), 0600) == 0);
  CHECK(refused(scratch.file("fifo")).find("nobody reads") != std::string::npos);
  CHECK(refused(scratch.file("real") + "/audit.jsonl").find("no directory") != std::string::npos);
}
