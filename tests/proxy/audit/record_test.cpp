// Records as text: whatever an agent puts into them, a line stays one line of plain JSON.
#include "proxy/audit/record.h"

#include <random>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "proxy/audit/chain.h"
#include "proxy/audit/json_text.h"
#include "tests/proxy/audit/scratch.h"

using namespace egret;

namespace {

const AuditTime new_year = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) +
                           std::chrono::hours(3) + std::chrono::minutes(4) +
                           std::chrono::microseconds(5'678'901);

template <class Record>
std::string rendered(const Record& record) {
  std::string out;
  render(record, out);
  return out;
}

template <class Record>
nlohmann::json parsed(const Record& record) {
  return nlohmann::json::parse("{" + rendered(record) + "}");
}

Target github() {
  return Target{Scheme::https, *Host::parse("api.github.com"), 443};
}

// The bytes that \u00XX escapes stand for.
std::string unescaped(const std::string& utf8) {
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      bytes += utf8[i];
    } else {
      bytes +=
          static_cast<char>(((byte & 3U) << 6U) | (static_cast<unsigned char>(utf8[++i]) & 63U));
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("a request record has the fields of the design in its order") {
  const Target target = github();
  RequestRecord record;
  record.time = new_year;
  record.id = "x1";
  record.connection = "c1";
  record.sandbox = "web";
  record.capture = Capture::unix_socket;
  record.decision = AuditDecision::deny;
  record.reason = Reason::limit_connections;
  record.rule = "egret.yaml:14";
  record.target = &target;
  record.address = "140.82.112.6";
  record.method = "GET";
  record.path = "/repos/acme/x";
  record.version = "1.1";
  record.secrets = {{"GITHUB_TOKEN", "header:authorization", 1}};
  record.status = 429;
  record.alarm = "foreign_placeholder";
  CHECK(rendered(record) ==
        R"("time":"2026-01-02T03:04:05.678901Z","event":"request","id":"x1","connection":"c1",)"
        R"("sandbox":"web","capture":"unix","decision":"deny","reason":"limit:connections",)"
        R"("rule":"egret.yaml:14","target":{"scheme":"https","host":"api.github.com","port":443,)"
        R"("address":"140.82.112.6"},"request":{"method":"GET","path":"/repos/acme/x",)"
        R"("version":"1.1"},"secrets":[{"name":"GITHUB_TOKEN","in":"header:authorization",)"
        R"("count":1}],"status":429,"alarm":"foreign_placeholder")");
}

TEST_CASE("what is unknown is absent") {
  RequestRecord record;
  record.time = new_year;
  record.id = "x1";
  record.decision = AuditDecision::allow;
  record.status = 200;
  CHECK(rendered(record) ==
        R"("time":"2026-01-02T03:04:05.678901Z","event":"request","id":"x1","capture":"netns",)"
        R"("decision":"allow","reason":"rule")");
}

TEST_CASE("a response record has the fields of the design in its order") {
  ResponseRecord record;
  record.time = new_year;
  record.id = "x1";
  record.sandbox = "web";
  record.status = 200;
  record.bytes_down = 5120;
  record.connect_ms = 12;
  record.first_byte_ms = 39.84;
  record.total_ms = 41.25;
  record.error = "client_gone";
  record.address = "192.0.2.1";
  record.frames_up = 2;
  CHECK(rendered(record) ==
        R"("time":"2026-01-02T03:04:05.678901Z","event":"response","id":"x1","sandbox":"web",)"
        R"("status":200,"bytes":{"up":0,"down":5120},"redactions":0,)"
        R"("ms":{"connect":12.0,"first_byte":39.8,"total":41.3},"error":"client_gone",)"
        R"("address":"192.0.2.1","frames":{"up":2,"down":0})");
}

TEST_CASE("connection, dns and gate records are what the design says") {
  const Target target{Scheme::tcp, *Host::parse("192.0.2.7"), 22};
  ConnectionRecord connection;
  connection.time = new_year;
  connection.id = "c9";
  connection.sandbox = "web";
  connection.decision = AuditDecision::allow;
  connection.target = &target;
  connection.end = true;
  connection.bytes_up = 7;
  connection.total_ms = 3;
  const auto end = parsed(connection);
  CHECK(end["end"] == true);
  CHECK(end["bytes"]["up"] == 7);
  CHECK(end["target"]["scheme"] == "tcp");
  DnsRecord dns;
  dns.time = new_year;
  dns.sandbox = "web";
  dns.name = "evil.example";
  dns.type = "A";
  dns.decision = AuditDecision::deny;
  dns.reason = Reason::host_not_allowed;
  CHECK(parsed(dns)["query"] == nlohmann::json{{"name", "evil.example"}, {"type", "A"}});
  GateRecord started;
  started.time = new_year;
  started.what = "start";
  CHECK(rendered(started) ==
        R"("time":"2026-01-02T03:04:05.678901Z","event":"gate","what":"start")");
}

TEST_CASE("every byte comes through as itself, and the line stays printable ASCII") {
  for (int byte = 0; byte < 256; ++byte) {
    for (const std::size_t at : {0U, 7U, 8U, 19U}) {
      std::string value(20, 'a');
      value[at] = static_cast<char>(byte);
      GateRecord record;
      record.detail = value;
      const std::string line = rendered(record);
      for (const char c : line)
        CHECK_MESSAGE((c >= 0x20 && c <= 0x7e), "byte ", byte);
      CHECK_MESSAGE(unescaped(parsed(record)["detail"]) == value, "byte ", byte, " at ", at);
    }
  }
}

TEST_CASE("a forged record inside a path stays text") {
  RequestRecord record;
  record.path = "/\r\n{\"v\":1,\"seq\":9,\"w\":0,\"decision\":\"allow\"}\x1b[2J\xe2\x80\xa8";
  std::string line;
  Chain().append(rendered(record), 0, line);
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.find("{\"v\":1", 1) == std::string::npos);
  CHECK(unescaped(nlohmann::json::parse(line)["request"]["path"]) == record.path);
}

TEST_CASE("a query never reaches the record") {
  RequestRecord record;
  record.path = "/login?token=hunter2";
  CHECK(rendered(record).find("hunter2") == std::string::npos);
  CHECK(parsed(record)["request"]["path"] == "/login");
}

TEST_CASE("a long field is cut, says its length, and keeps a fingerprint") {
  const std::string path = "/" + std::string(15'000, 'p');
  RequestRecord record;
  record.path = path;
  record.version = "2";
  const auto shown = parsed(record)["request"];
  CHECK(shown["path"] == path.substr(0, field_bytes_max));
  CHECK(shown["path_len"] == path.size());
  CHECK(shown["path_sha256"] == audit_test::sha256(path).substr(0, 16));
  CHECK(shown["version"] == "2");
}

TEST_CASE("a cut never splits an escape") {
  for (std::size_t lead = 0; lead < 6; ++lead) {
    RequestRecord record;
    const std::string path = std::string(lead, 'a') + std::string(3000, '\x01');
    record.path = path;
    const auto shown = parsed(record)["request"];
    CHECK(shown["path"].get<std::string>().size() == lead + (field_bytes_max - lead) / 6);
  }
}

TEST_CASE("no record is longer than its limit, whatever is in its fields") {
  std::mt19937 random(20261121);
  for (int round = 0; round < 200; ++round) {
    const auto noise = [&random](std::size_t size_max) {
      std::string text(random() % size_max + 1, '\0');
      for (char& c : text)
        c = static_cast<char>(random() & 0xffU);
      return text;
    };
    const std::string id = noise(5000), rule = noise(5000), method = noise(5000),
                      path = noise(20'000), alarm = noise(5000);
    RequestRecord record;
    record.time = std::chrono::system_clock::now();
    record.id = id;
    record.connection = record.sandbox = id;
    record.rule = rule;
    record.address = rule;
    record.method = method;
    record.path = path;
    record.version = alarm;
    record.alarm = alarm;
    record.decision = AuditDecision::deny;
    record.status = 403;
    for (unsigned i = 0; i < random() % 200; ++i)
      record.secrets.push_back({noise(600), noise(600), 1});
    Chain chain;
    chain.seq = ~std::uint64_t{0} - 1;
    std::string line;
    chain.append(rendered(record), 255, line);
    CHECK(line.size() <= record_bytes_max);
    CHECK(nlohmann::json::accept(line));
    CHECK(line_head(std::string_view(line).substr(0, line.size() - 1)).has_value());
  }
}

TEST_CASE("numbers that are none do not break the line") {
  ResponseRecord record;
  record.connect_ms = -1;
  record.first_byte_ms = std::numeric_limits<double>::quiet_NaN();
  record.total_ms = std::numeric_limits<double>::infinity();
  CHECK(parsed(record)["ms"] ==
        nlohmann::json{{"connect", 0.0}, {"first_byte", 0.0}, {"total", 0.0}});
}

TEST_CASE("time is right over leap days, year ends and before the epoch") {
  struct Row {
    std::chrono::sys_days day;
    const char* text;
  };
  using namespace std::chrono;
  for (const Row& row : {Row{sys_days(year(2024) / 2 / 29), "2024-02-29T00:00:00.000000Z"},
                         Row{sys_days(year(2025) / 12 / 31), "2025-12-31T00:00:00.000000Z"},
                         Row{sys_days(year(1969) / 12 / 31), "1969-12-31T00:00:00.000000Z"}}) {
    std::string text;
    append_time(row.day, text);
    CHECK(text == row.text);
  }
}
