// What a person sees of an audit file: show, tail, summary.
#include "proxy/audit/reader.h"

#include <sstream>

#include <doctest/doctest.h>

#include "proxy/audit/chain.h"
#include "proxy/audit/line_source.h"
#include "proxy/audit/read_record.h"
#include "tests/proxy/audit/scratch.h"

using namespace egret;
using namespace egret::audit_test;

namespace {

// A file as one gate writes it, at a time that is not now.
class Written26 {
 public:
  explicit Written26(std::string path) : path_(std::move(path)) {}
  Written26& add(const std::string& body) {
    chain_.append(body, 0, text_);
    write_bytes(path_, text_);
    return *this;
  }
  Written26& add_raw(const std::string& text) {
    text_ += text;
    write_bytes(path_, text_);
    return *this;
  }

 private:
  std::string path_, text_;
  Chain chain_;
};

AuditTime at(int minute) {
  return std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + std::chrono::minutes(minute);
}

template <class Record>
std::string body_of(const Record& record) {
  std::string body;
  render(record, body);
  return body;
}

std::string full_request(const std::string& id, int minute, const std::string& sandbox = "web",
                         AuditDecision decision = AuditDecision::allow) {
  const Target target{Scheme::https, *Host::parse("api.github.com"), 443};
  RequestRecord record;
  record.time = at(minute);
  record.id = id;
  record.sandbox = sandbox;
  record.decision = decision;
  record.reason = decision == AuditDecision::allow ? Reason::rule : Reason::method_not_allowed;
  record.rule = "egret.yaml:14";
  record.target = &target;
  record.method = "GET";
  record.path = "/repos/acme/x";
  record.status = 403;
  if (decision == AuditDecision::allow) record.secrets = {{"TOKEN", "header:authorization", 1}};
  return body_of(record);
}

std::string shown_text(const AuditQuery& query) {
  std::ostringstream out;
  const auto printed = audit_show(query, out);
  REQUIRE(printed.has_value());
  const std::string text = out.str();
  CHECK(*printed == static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
  return text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("show joins the halves of an exchange into one line") {
  const Scratch scratch;
  Written26(scratch.file()).add(full_request("a", 0)).add(response("a"));
  CHECK(shown_text(asking(scratch.file())) ==
        "2026-01-02T00:00:00.000Z  web           allow  GET      200   "
        "https://api.github.com/repos/acme/x  rule egret.yaml:14  "
        "secret TOKEN@header:authorization  up 0 B down 5.0 KiB  41.2 ms\n");
}

TEST_CASE("show tells what was denied, asked, opened, cut and started") {
  const Scratch scratch;
  DnsRecord dns;
  dns.time = at(1);
  dns.sandbox = "web";
  dns.name = "evil.example";
  dns.type = "AAAA";
  dns.decision = AuditDecision::deny;
  dns.reason = Reason::host_not_allowed;
  Written26 file(scratch.file());
  file.add(gate("start"))
      .add(full_request("d", 0, "web", AuditDecision::deny))
      .add(body_of(dns))
      .add(full_request("cut1", 2))
      .add(gate("start"))
      .add(full_request("cut2", 3));
  const std::string text = shown_text(asking(scratch.file()));
  CHECK(contains(text,
                 "deny   GET      403   https://api.github.com/repos/acme/x  "
                 "method_not_allowed by egret.yaml:14\n"));
  CHECK(contains(text, "deny   dns      -     evil.example AAAA  host_not_allowed\n"));
  CHECK(contains(text, "00:02:00.000Z  web           allow  GET      cut   https"));
  CHECK_MESSAGE(contains(text, "00:03:00.000Z  web           allow  GET      cut   https"),
                "no gate holds the file");
  CHECK(contains(text, "gate   start\n"));
}

TEST_CASE("an exchange of a gate that runs is open, not cut") {
  const Scratch scratch;
  const auto log = open_log(scratch.file());
  REQUIRE(decide(*log, request("a")) == Written::yes);
  CHECK(contains(shown_text(asking(scratch.file())), "GET      open  "));
}

TEST_CASE("an end whose beginning is in an earlier file is shown for itself") {
  const Scratch scratch;
  Written26(scratch.file()).add(response("gone"));
  CHECK(contains(shown_text(asking(scratch.file())), "end    -        200   id gone"));
}

TEST_CASE("queries choose by sandbox, time and decision") {
  const Scratch scratch;
  Written26(scratch.file())
      .add(full_request("a", 0, "web"))
      .add(full_request("b", 10, "ci"))
      .add(full_request("c", 20, "ci", AuditDecision::deny))
      .add(response("a"));
  struct Row {
    const char* sandbox;
    const char* since;
    bool denied;
    std::size_t lines, json_lines;
  };
  for (const Row& row : {Row{nullptr, nullptr, false, 3, 4}, Row{"ci", nullptr, false, 2, 2},
                         Row{"web", nullptr, false, 1, 2}, Row{"nobody", nullptr, false, 0, 0},
                         Row{nullptr, "2026-01-02T00:10:00Z", false, 2, 3},
                         Row{nullptr, "2026-01-02T01:10:00+01:00", false, 2, 3},
                         Row{nullptr, "2026-01-02T00:10:00.000001Z", false, 1, 2},
                         Row{nullptr, "2026-01-02", false, 3, 4}, Row{nullptr, nullptr, true, 1, 1},
                         Row{"web", nullptr, true, 0, 0}}) {
    AuditQuery query = asking(scratch.file());
    if (row.sandbox != nullptr) query.sandbox = row.sandbox;
    if (row.since != nullptr) query.since = row.since;
    query.denied = row.denied;
    CAPTURE(row.sandbox);
    CAPTURE(row.since);
    std::ostringstream people, json;
    CHECK(*audit_show(query, people) == row.lines);
    query.json = true;
    CHECK(*audit_show(query, json) == row.json_lines);
  }
}

TEST_CASE("since takes times and ages, and says what it wants instead of anything else") {
  const AuditTime now = at(60 * 24 * 10);
  struct Row {
    const char* text;
    const char* time;
  };
  for (const Row& row :
       {Row{"90s", "2026-01-11T23:58:30.000000Z"}, Row{"10m", "2026-01-11T23:50:00.000000Z"},
        Row{"2h", "2026-01-11T22:00:00.000000Z"}, Row{"3d", "2026-01-09T00:00:00.000000Z"},
        Row{"2026-01-05", "2026-01-05T00:00:00.000000Z"},
        Row{"2026-01-05T01:02", "2026-01-05T01:02:00.000000Z"},
        Row{"2026-01-05 01:02:03.5-00:30", "2026-01-05T01:32:03.500000Z"}}) {
    CHECK(since_text(row.text, now) == std::string(row.time));
  }
  for (const char* text : {"", "h", "2", "2x", "-2h", "2h ", "2026-13-01", "2026-02-30",
                           "yesterday", "2026-01-05T25:00:00Z", "2026-01-05T01:02:03.Z",
                           "99999999999d", "2026-01-05T01:02:03+0200", "2026-01-05x"}) {
    CAPTURE(text);
    CHECK_FALSE(since_text(text, now).has_value());
  }
  const Scratch scratch;
  write_bytes(scratch.file(), "");
  AuditQuery query = asking(scratch.file());
  query.since = "soon\x1b[2J";
  std::ostringstream out;
  const auto shown = audit_show(query, out);
  REQUIRE_FALSE(shown.has_value());
  CHECK(contains(shown.error().what, "2h or 3d"));
  CHECK_FALSE(contains(shown.error().what, "\x1b"));
}

TEST_CASE("with json, records of a gate come out byte for byte") {
  const Scratch scratch;
  Written26(scratch.file()).add(full_request("a", 0)).add(response("a")).add_raw("{\"v\":1,\"se");
  AuditQuery query = asking(scratch.file());
  query.json = true;
  const std::string bytes = bytes_of(scratch.file());
  CHECK(shown_text(query) == bytes.substr(0, bytes.rfind('\n') + 1));
}

TEST_CASE("nothing in a file can reach the terminal raw, not even in a forged one") {
  const Scratch scratch;
  RequestRecord record;
  record.id = "a";
  record.decision = AuditDecision::deny;
  record.reason = Reason::path_not_allowed;
  record.path = "/\x1b[2J\r\n\x07\x9b";
  const std::string honest = body_of(record);
  const std::string forged =
      "\"event\":\"gate\",\"what\":\"a\\u001b[2J\\u009b\\u202e\x7f\xc2\x9b\xe2\x80\xae\"";
  Written26(scratch.file()).add(honest).add(forged);
  for (const bool json : {false, true}) {
    AuditQuery query = asking(scratch.file());
    query.json = json;
    const std::string text = shown_text(query);
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
    for (const char c : text)
      CHECK((c == '\n' || (c >= 0x20 && c <= 0x7e)));
  }
  CHECK(contains(shown_text(asking(scratch.file())), R"(\u001b[2J\u000d\u000a\u0007\u009b)"));
}

TEST_CASE("colour touches the decision and nothing else") {
  const Scratch scratch;
  Written26(scratch.file())
      .add(full_request("a", 0))
      .add(response("a"))
      .add(full_request("d", 1, "web", AuditDecision::deny));
  AuditQuery query = asking(scratch.file());
  query.colour = true;
  const std::string text = shown_text(query);
  CHECK(contains(text, "\x1b[32mallow\x1b[0m"));
  CHECK(contains(text, "\x1b[31mdeny \x1b[0m"));
  CHECK(std::count(text.begin(), text.end(), '\x1b') == 4);
}

TEST_CASE("lines are the same however long, and a line without end costs no memory") {
  const Scratch scratch;
  for (const std::size_t filler : {std::size_t{0}, LineSource::line_bytes_max - 1,
                                   LineSource::line_bytes_max, 3 * LineSource::line_bytes_max}) {
    CAPTURE(filler);
    write_bytes(scratch.file(), "one\n" + std::string(filler, 'x') + "\n\nfour\nrest");
    auto source = LineSource::open(scratch.file());
    REQUIRE(source.has_value());
    std::vector<std::string> lines;
    while (const auto line = source->next()) {
      CHECK(line->text.size() <= LineSource::line_bytes_max);
      lines.emplace_back(line->text);
    }
    REQUIRE(lines.size() == 4);
    CHECK(lines[0] == "one");
    CHECK(lines[2] == "");
    CHECK(lines[3] == "four");
    CHECK(source->rest()->text == "rest");
    CHECK_FALSE(source->rest().has_value());
  }
}

TEST_CASE("tail shows the last lines, then what comes, through rotation and truncation") {
  const Scratch scratch;
  Written26 file(scratch.file());
  for (int i = 0; i < 30; ++i) {
    file.add(full_request("d" + std::to_string(i), i, "web", AuditDecision::deny));
  }
  std::ostringstream out;
  std::vector<std::string> seen;
  const auto step = [&] {
    seen.push_back(out.str());
    out.str("");
    switch (seen.size()) {
      case 1:
        file.add(full_request("x", 40));
        break;  // no line yet: it has not ended
      case 2:
        file.add(response("x"));
        break;
      case 3:
        std::filesystem::rename(scratch.file(), scratch.file("old"));
        write_bytes(scratch.file(), "");
        break;
      case 4:
        Written26(scratch.file()).add(full_request("y", 50, "web", AuditDecision::deny));
        break;
      case 5:
        write_bytes(scratch.file(), "");
        break;
      case 6:
        Written26(scratch.file()).add(full_request("z", 59, "ci", AuditDecision::deny));
        break;
      default:
        return seen.size() > 7;
    }
    return false;
  };
  const auto printed = audit_tail(asking(scratch.file()), out, step);
  REQUIRE(printed.has_value());
  CHECK(*printed == 13);
  REQUIRE(seen.size() == 8);
  CHECK(std::count(seen[0].begin(), seen[0].end(), '\n') == 10);
  CHECK(contains(seen[0], "00:29:00"));
  CHECK_FALSE(contains(seen[0], "00:19:00"));
  CHECK(seen[1] == "");
  CHECK(contains(seen[2], "00:40:00"));
  CHECK(contains(seen[4], "00:50:00"));
  CHECK(contains(seen[6], "00:59:00"));
}

TEST_CASE("summary counts by sandbox, reason, host and secret") {
  const Scratch scratch;
  Written26(scratch.file())
      .add(gate("start"))
      .add(full_request("a", 0, "web"))
      .add(response("a"))
      .add(full_request("b", 1, "ci"))
      .add(full_request("c", 2, "ci", AuditDecision::deny));
  std::ostringstream out;
  AuditQuery query = asking(scratch.file());
  query.json = true;
  CHECK(*audit_summary(query, out) == 5);
  const auto sum = nlohmann::json::parse(out.str());
  CHECK(sum.at("records") == 5);
  CHECK(sum.at("requests") == 3);
  CHECK(sum.at("allowed") == 2);
  CHECK(sum.at("denied") == 1);
  CHECK(sum.at("bytes").at("down") == 5120);
  CHECK(sum.at("sandboxes").at("ci").at("denied") == 1);
  CHECK(sum.at("sandboxes").at("web").at("bytes").at("down") == 5120);
  CHECK(sum.at("reasons").at("method_not_allowed") == 1);
  CHECK(sum.at("hosts").at("api.github.com").at("allowed") == 2);
  CHECK(sum.at("secrets").at("TOKEN") == 2);
  query.json = false;
  std::ostringstream people;
  REQUIRE(audit_summary(query, people).has_value());
  CHECK(contains(people.str(), "api.github.com"));
}

TEST_CASE("a file that is not there is named, with what to do") {
  std::ostringstream out;
  const Scratch scratch;
  for (const auto& result : {audit_show(asking(scratch.file("none")), out),
                             audit_summary(asking(scratch.file("none")), out),
                             audit_tail(asking(scratch.file("none")), out, [] { return true; })}) {
    REQUIRE_FALSE(result.has_value());
    CHECK(contains(result.error().what, scratch.file("none")));
    CHECK(contains(result.error().what, "--file"));
  }
}
