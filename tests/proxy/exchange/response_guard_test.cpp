// What of a response body the client gets, whatever it is coded in.
#include "proxy/exchange/response_guard.h"

#include "tests/proxy/exchange/coded.h"
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

using Kind = BodyLength::Kind;

FieldList coding(const std::string& value) {
  FieldList fields;
  if (!value.empty()) fields.add("content-encoding", value);
  return fields;
}

struct Passed {
  std::string out;
  std::string reason;
  int status = 0;
  std::uint64_t redactions = 0;
};

Passed passed(const std::string& from, const std::string& content_encoding, std::string_view body,
              std::size_t piece_bytes = 10) {
  const SnapshotPtr snapshot = scene();
  ResponseGuard guard(*snapshot, host(from), coding(content_encoding));
  Passed result;
  for (const std::string_view piece : in_pieces(body, piece_bytes)) {
    std::string_view rest = piece;
    const Behind behind = piece.end() == body.end() ? Behind::end : Behind::pause;
    for (Progress progress = Progress::again; progress == Progress::again;) {
      std::string out;
      const auto step = guard.step(rest, behind, out);
      if (!step) {
        result.reason = name(step.error().denial.reason);
        result.status = step.error().status;
        return result;
      }
      result.out += out;
      progress = *step;
    }
  }
  result.redactions = guard.redactions();
  return result;
}

}  // namespace

TEST_CASE("an echo is redacted in every coding at a host with a grant") {
  const std::string text = "you sent [" + hub_secret + "] and [" + body_secret + "]";
  const std::string expected = "you sent [" + hub_placeholder + "] and [" + body_placeholder + "]";
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const Passed result = passed("hub.test", std::string(name_of(coding)), coded(coding, text));
    CHECK(result.reason.empty());
    CHECK(plain(coding, result.out) == expected);
    CHECK(result.redactions == 2);
  }
  const std::string twice = coded(Coding::zstd, coded(Coding::br, text));
  CHECK(plain(Coding::br, plain(Coding::zstd, passed("hub.test", "br, zstd", twice).out)) ==
        expected);
  CHECK(passed("hub.test", "", text).out == expected);
}

TEST_CASE("at hosts without a grant coded bodies pass byte for byte, in any coding") {
  const std::string body = coded(Coding::br, "nothing");
  for (const char* coding : {"br", "compress", "gzip"}) {
    const Passed result = passed("plain.test", coding, body);
    CHECK(result.out == body);
    CHECK(result.reason.empty());
  }
}

TEST_CASE("an unreadable answer of a host with a grant is the origin's fault") {
  const SnapshotPtr snapshot = scene();
  for (const char* value : {"compress", "gzip, br, zstd", "exi"}) {
    CAPTURE(value);
    const auto refusal = ResponseGuard(*snapshot, host("hub.test"), coding(value)).unreadable();
    REQUIRE(refusal.has_value());
    CHECK(refusal->status == 502);
    CHECK(name(refusal->denial.reason) == "body_unreadable");
    CHECK_FALSE(ResponseGuard(*snapshot, host("plain.test"), coding(value)).unreadable());
  }
  for (const char* value : {"", "identity", "gzip", "br, zstd"})
    CHECK_FALSE(ResponseGuard(*snapshot, host("hub.test"), coding(value)).unreadable());
}

TEST_CASE("a corrupt answer of a host with a grant ends with a fault") {
  const std::string body = coded(Coding::gzip, "text " + hub_secret);
  for (const std::string& broken : {body.substr(0, body.size() - 3), body + "x", "plain " + body}) {
    const Passed result = passed("hub.test", "gzip", broken);
    CHECK(result.reason == "body_unreadable");
    CHECK(result.status == 502);
  }
}

TEST_CASE("the length stays where nothing can change it, else the end tells") {
  struct {
    const char* from;
    const char* coding;
    BodyLength told;
    bool takes_chunks;
    BodyLength length;
  } const rows[] = {
      {"plain.test", "", {Kind::length, 9}, true, {Kind::length, 9}},
      {"plain.test", "gzip", {Kind::length, 9}, true, {Kind::length, 9}},
      {"plain.test", "", {Kind::until_close, 0}, true, {Kind::chunked, 0}},
      {"plain.test", "", {Kind::chunked, 0}, false, {Kind::until_close, 0}},
      {"hub.test", "", {Kind::length, 9}, true, {Kind::chunked, 9}},
      {"hub.test", "", {Kind::length, 9}, false, {Kind::until_close, 9}},
      {"hub.test", "gzip", {Kind::length, 9}, true, {Kind::chunked, 9}},
      {"hub.test", "gzip", {Kind::none, 0}, true, {Kind::none, 0}},
  };
  const SnapshotPtr snapshot = scene();
  for (const auto& row : rows) {
    CAPTURE(row.from);
    CAPTURE(row.coding);
    const ResponseGuard guard(*snapshot, host(row.from), coding(row.coding));
    CHECK(guard.length_for_client(row.told, row.takes_chunks).kind == row.length.kind);
  }
  // Placeholders as long as their secrets keep the length; a coding does not.
  const SnapshotPtr equal = make_snapshot(
      "web", 1, Policy(),
      GrantTable({grant("SAME", hub_placeholder, hub_secret, {"a.test"}, {"header"})}),
      AddressRules());
  const BodyLength nine{Kind::length, 9};
  CHECK(ResponseGuard(*equal, host("a.test"), coding("")).length_for_client(nine, true) == nine);
  CHECK(ResponseGuard(*equal, host("a.test"), coding("br")).length_for_client(nine, true).kind ==
        Kind::chunked);
}

TEST_CASE("without secrets nothing is searched") {
  const SnapshotPtr none = make_snapshot("web", 1, Policy(), GrantTable(), AddressRules());
  CHECK_FALSE(ResponseGuard(*none, host("a.test"), coding("gzip")).searches());
  CHECK_FALSE(ResponseGuard(*none, host("a.test"), coding("compress")).unreadable());
}
