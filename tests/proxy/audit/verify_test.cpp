// Verify: what was done to a file shows, with its line and its kind; what a crash does is no
// tampering.
#include <functional>

#include <doctest/doctest.h>

#include "proxy/audit/chain.h"
#include "proxy/audit/reader.h"
#include "tests/proxy/audit/scratch.h"

using namespace egret;
using namespace egret::audit_test;

namespace {

using Lines = std::vector<std::string>;

// Ten records of one chain, lines 1 to 10.
Lines ten_lines() {
  Chain chain;
  std::string text;
  Lines lines;
  for (int i = 0; i < 10; ++i) {
    text.clear();
    chain.append(request("r" + std::to_string(i), AuditDecision::deny), 0, text);
    lines.push_back(text);
  }
  return lines;
}

VerifyReport verify_lines(const Lines& lines) {
  const Scratch scratch;
  std::string text;
  for (const std::string& line : lines)
    text += line;
  write_bytes(scratch.file(), text);
  return verified(scratch.file());
}

std::string replaced(std::string line, const std::string& from, const std::string& to) {
  const auto at = line.find(from);
  REQUIRE(at != std::string::npos);
  return line.replace(at, from.size(), to);
}

struct Row {
  const char* what;
  std::function<void(Lines&)> tamper;
  const char* kind;
  int line;
  std::size_t breaks = 1;  // 2 where the line does not even stand for itself
};

}  // namespace

TEST_CASE("an untouched file is intact") {
  const VerifyReport report = verify_lines(ten_lines());
  CHECK(report.intact);
  CHECK(report.records == 10);
  CHECK(report.text.find("seq 1 to 10") != std::string::npos);
  CHECK(verify_lines({}).intact);
}

TEST_CASE("whatever is done to a line shows, once, with its line and kind") {
  const std::vector<Row> rows = {
      {"a decision turned round", [](Lines& l) { l[4] = replaced(l[4], "\"deny\"", "\"allow\""); },
       "edited", 5},
      {"the first record changed", [](Lines& l) { l[0] = replaced(l[0], "web", "bad"); }, "edited",
       1},
      {"a hash in front of the first",
       [](Lines& l) { l[0] = replaced(l[0], "\"prev\":\"0", "\"prev\":\"1"); }, "edited", 1, 2},
      {"a line made no JSON", [](Lines& l) { l[4] = replaced(l[4], "\"event\":", "\"event\""); },
       "edited", 5, 2},
      {"text put behind a record", [](Lines& l) { l[9] = replaced(l[9], "}\n", "}#\n"); }, "edited",
       10},
      {"one removed", [](Lines& l) { l.erase(l.begin() + 4); }, "removed", 5},
      {"three removed", [](Lines& l) { l.erase(l.begin() + 4, l.begin() + 7); }, "removed", 5},
      {"a copy put behind", [](Lines& l) { l.insert(l.begin() + 5, l[4]); }, "inserted", 6},
      {"a copy put far behind", [](Lines& l) { l.insert(l.begin() + 8, l[2]); }, "inserted", 9},
      {"a copy put at the end", [](Lines& l) { l.push_back(l[9]); }, "inserted", 11},
      {"a forged one put in, number and hash right",
       [](Lines& l) { l.insert(l.begin() + 4, replaced(l[4], "r4", "zz")); }, "inserted", 5},
      {"words put in", [](Lines& l) { l.insert(l.begin() + 4, "hello\n"); }, "inserted", 5},
      {"a record of no possible writer",
       [](Lines& l) { l.insert(l.begin() + 4, replaced(l[4], "\"w\":0", "\"w\":99999")); },
       "inserted", 5},
      {"two exchanged", [](Lines& l) { std::swap(l[4], l[5]); }, "out of order", 6},
      {"one moved down", [](Lines& l) { std::rotate(l.begin() + 3, l.begin() + 4, l.begin() + 8); },
       "out of order", 8},
  };
  for (const Row& row : rows) {
    Lines lines = ten_lines();
    row.tamper(lines);
    const VerifyReport report = verify_lines(lines);
    CAPTURE(row.what);
    CAPTURE(report.text);
    CHECK_FALSE(report.intact);
    const auto json = nlohmann::json::parse(report.json);
    CHECK(json.at("intact") == false);
    REQUIRE(json.at("breaks").size() >= 1);
    CHECK(json.at("breaks")[0].at("kind") == row.kind);
    CHECK(json.at("breaks")[0].at("line") == row.line);
    CHECK(json.at("breaks").size() == row.breaks);
  }
}

TEST_CASE("every single byte of every line but the last is covered") {
  const Lines lines = ten_lines();
  for (std::size_t at = 0; at + 1 < lines[3].size(); ++at) {
    Lines changed = lines;
    changed[3][at] = changed[3][at] == '7' ? '8' : '7';
    CAPTURE(changed[3]);
    CHECK_FALSE(verify_lines(changed).intact);
  }
}

TEST_CASE("a torn line is told and breaks nothing") {
  for (std::size_t keep : {1U, 5U, 20U, 60U, 200U}) {
    Lines lines = ten_lines();
    lines.insert(lines.begin() + 5, lines[5].substr(0, keep) + "\n");
    lines.push_back(lines[5].substr(0, keep));
    const VerifyReport report = verify_lines(lines);
    CHECK_MESSAGE(report.intact, report.text);
    CHECK(nlohmann::json::parse(report.json).at("torn") == 2);
  }
}

TEST_CASE("records that share a line with a torn one, or with each other, still count") {
  Lines lines = ten_lines();
  lines[4].insert(0, lines[4].substr(0, 100));
  lines[6].pop_back();
  const VerifyReport report = verify_lines(lines);
  CHECK_MESSAGE(report.intact, report.text);
  CHECK(report.records == 10);
}

TEST_CASE("a file that begins in the middle of a chain continues an earlier one") {
  Lines lines = ten_lines();
  lines.erase(lines.begin(), lines.begin() + 4);
  const VerifyReport report = verify_lines(lines);
  CHECK(report.intact);
  CHECK(report.text.find("continues an earlier file") != std::string::npos);
}

TEST_CASE("a gate that ended without a stop is named as a cut with what it left open") {
  Chain chain;
  std::string text;
  for (const std::string& body :
       {gate("start"), request("a"), response("a"), request("b"), request("c"), gate("start"),
        request("d"), response("d"), gate("stop"), gate("start"), gate("stop")}) {
    chain.append(body, 3, text);
  }
  const VerifyReport report = verify_lines({text});
  CHECK(report.intact);
  CHECK(report.text.find(
            "the gate was cut after seq 5 (line 5, writer 3); 2 exchanges have no end") !=
        std::string::npos);
  const auto cuts = nlohmann::json::parse(report.json).at("cuts");
  REQUIRE(cuts.size() == 1);
  CHECK(cuts[0] == nlohmann::json{{"w", 3}, {"seq", 5}, {"line", 5}, {"open", 2}});
}

TEST_CASE("a gate that still runs is not cut") {
  const Scratch scratch;
  const auto log = open_log(scratch.file());
  log->submit_end(0, gate("start"));
  REQUIRE(decide(*log, request("a")) == Written::yes);
  CHECK(nlohmann::json::parse(verified(scratch.file()).json).at("cuts").empty());
}
