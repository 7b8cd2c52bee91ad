// What the audit tests share: a directory that goes away, records to write, a log to ask, and a
// reading of the file that uses nothing of proxy/audit, so that both cannot be wrong in the same
// way.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <openssl/sha.h>

#include "proxy/audit/log.h"
#include "proxy/audit/reader.h"
#include "proxy/audit/record.h"

namespace egret::audit_test {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "egret-audit-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string file(const std::string& name = "audit.jsonl") const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

inline std::string request(const std::string& id, AuditDecision decision = AuditDecision::allow) {
  RequestRecord record;
  record.time = std::chrono::system_clock::now();
  record.id = id;
  record.sandbox = "web";
  record.decision = decision;
  record.reason = decision == AuditDecision::allow ? Reason::rule : Reason::host_not_allowed;
  record.method = "GET";
  record.path = "/x";
  record.version = "1.1";
  record.status = 403;
  std::string body;
  render(record, body);
  return body;
}

inline std::string response(const std::string& id) {
  ResponseRecord record;
  record.time = std::chrono::system_clock::now();
  record.id = id;
  record.sandbox = "web";
  record.status = 200;
  record.bytes_down = 5120;
  record.total_ms = 41.2;
  std::string body;
  render(record, body);
  return body;
}

inline std::string gate(const std::string& what) {
  GateRecord record;
  record.time = std::chrono::system_clock::now();
  record.what = what;
  std::string body;
  render(record, body);
  return body;
}

constexpr std::chrono::seconds patience{20};

inline std::future<Written> decide_later(AuditLog& log, unsigned lane, std::string body) {
  auto answer = std::make_shared<std::promise<Written>>();
  log.submit(lane, std::move(body), [answer](Written written) { answer->set_value(written); });
  return answer->get_future();
}

inline Written answer_of(std::future<Written>& answer) {
  if (answer.wait_for(patience) != std::future_status::ready) {
    std::fputs("no answer from the audit log\n", stderr);
    std::abort();  // a REQUIRE could not unwind through a child process
  }
  return answer.get();
}

inline Written decide(AuditLog& log, std::string body, unsigned lane = 0) {
  auto answer = decide_later(log, lane, std::move(body));
  return answer_of(answer);
}

// Asks again until the log writes; how often it refused before.
inline int decide_until_written(AuditLog& log, const std::string& id) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  int refused = 0;
  while (decide(log, request(id)) == Written::no) {
    ++refused;
    if (std::chrono::steady_clock::now() > give_up) std::abort();
    std::this_thread::yield();
  }
  return refused;
}

inline std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
}

inline std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream in(bytes_of(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

inline std::string sha256(const std::string& bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash.data());
  std::string hex;
  for (const unsigned char byte : hash) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    hex += digits.data();
  }
  return hex;
}

struct Reading {
  std::vector<nlohmann::json> records;
  std::size_t torn = 0;  // lines that hold no JSON
  std::string fault;     // of the chains, empty where they hold
  int count(const std::string& event, const std::string& id) const {
    int found = 0;
    for (const auto& record : records) {
      found += record.value("event", "") == event && record.value("id", "") == id ? 1 : 0;
    }
    return found;
  }
  std::uint64_t refused() const {  // as `recovered` records tell
    std::uint64_t sum = 0;
    for (const auto& record : records) {
      if (record.value("what", "") == "recovered") sum += record.value("count", std::uint64_t{0});
    }
    return sum;
  }
};

inline Reading read_audit(const std::string& path) {
  Reading reading;
  std::map<int, std::pair<std::uint64_t, std::string>> chains;
  for (const std::string& line : lines_of(path)) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (record.is_discarded()) {
      ++reading.torn;
      continue;
    }
    const int slot = record.at("w");
    const auto known = chains.find(slot);
    const std::uint64_t seq = known == chains.end() ? 0 : known->second.first;
    const std::string prev = known == chains.end() ? std::string(64, '0') : known->second.second;
    if (record.at("seq") != seq + 1) reading.fault += "seq at " + line + "\n";
    if (record.at("prev") != prev) reading.fault += "prev at " + line + "\n";
    chains[slot] = {record.at("seq").get<std::uint64_t>(), sha256(line)};
    reading.records.push_back(record);
  }
  return reading;
}

inline std::unique_ptr<AuditLog> open_log(const std::string& path, const AuditOptions& options = {},
                                          unsigned lanes = 2) {
  auto log = AuditLog::open(path, lanes, options);
  if (!log) {
    std::fputs((log.error().what + "\n").c_str(), stderr);
    std::abort();
  }
  return std::move(*log);
}

inline AuditQuery asking(const std::string& path) {
  AuditQuery query;
  query.file = path;
  return query;
}

inline VerifyReport verified(const std::string& path) {
  const auto report = audit_verify(asking(path));
  REQUIRE(report.has_value());
  return *report;
}

}  // namespace egret::audit_test
