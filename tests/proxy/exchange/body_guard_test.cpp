// Placeholders in request bodies, found wherever the body is cut.
#include "proxy/exchange/body_guard.h"

#include "tests/proxy/exchange/coded.h"
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

struct Guarded {
  std::string out;
  std::string reason;  // empty: passed
  int status = 0;
  std::vector<PlannedUse> uses;
};

Guarded guarded(const SandboxSnapshot& snapshot, const std::string& url,
                const std::vector<std::string_view>& pieces, const Fields& fields = {},
                std::size_t step_bytes = step_bytes_default, MemoryBudget* memory = nullptr) {
  const Target to = target(url);
  const RequestHead head = request("POST", "/", fields);
  BodyGuard guard(snapshot, to, head.fields, step_bytes, memory);
  Guarded result;
  for (std::size_t i = 0; i < pieces.size() && result.reason.empty(); ++i) {
    std::string_view rest = pieces[i];
    const Behind behind = i + 1 == pieces.size() ? Behind::end : Behind::pause;
    for (Progress progress = Progress::again; progress == Progress::again;) {
      std::string out;
      const auto step = guard.step(rest, behind, out);
      if (!step) {
        result.reason = name(step.error().denial.reason);
        result.status = step.error().status;
        break;
      }
      result.out += out;
      progress = *step;
    }
  }
  result.uses = guard.uses();
  return result;
}

template <class Check>
void at_every_split(const std::string& body, Check&& check) {
  check(std::vector<std::string_view>{body});
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    CAPTURE(cut);
    const std::string_view all = body;
    check(std::vector<std::string_view>{all.substr(0, cut), all.substr(cut)});
  }
  std::vector<std::string_view> single;
  for (std::size_t i = 0; i < body.size(); ++i)
    single.push_back(std::string_view(body).substr(i, 1));
  check(single);
}

}  // namespace

TEST_CASE("a body is substituted where the grant says so, at every split") {
  const SnapshotPtr snapshot = scene();
  const std::string body =
      "{\"a\":\"" + body_placeholder + "\",\"b\":\"" + body_placeholder + "\"}";
  const std::string expected = "{\"a\":\"" + body_secret + "\",\"b\":\"" + body_secret + "\"}";
  at_every_split(body, [&](const std::vector<std::string_view>& pieces) {
    const Guarded result = guarded(*snapshot, "https://body.test", pieces);
    CHECK(result.reason.empty());
    CHECK(result.out == expected);
    REQUIRE(result.uses.size() == 1);
    CHECK(result.uses[0].grant->name == "BODY");
    CHECK(result.uses[0].in == "body");
    CHECK(result.uses[0].count == 2);
  });
}

TEST_CASE("a placeholder where none may be ends the body before its secret is written") {
  const SnapshotPtr snapshot = scene();
  struct {
    const char* url;
    const std::string& placeholder;
    const std::string& secret;
    const char* reason;
  } const rows[] = {
      {"https://hub.test", hub_placeholder, hub_secret, "secret_location"},
      {"https://plain.test", hub_placeholder, hub_secret, "secret_scope"},
      {"https://plain.test", body_placeholder, body_secret, "secret_scope"},
      {"https://hub.test", body_placeholder, body_secret, "secret_scope"},
      {"http://body.test", body_placeholder, body_secret, "secret_scope"},
      {"https://body.test", hub_placeholder, hub_secret, "secret_scope"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.url);
    const std::string body = "before " + row.placeholder + " behind";
    at_every_split(body, [&](const std::vector<std::string_view>& pieces) {
      const Guarded result = guarded(*snapshot, row.url, pieces);
      CHECK(result.reason == row.reason);
      CHECK(result.out.find(row.secret) == std::string::npos);
      CHECK(result.out.find(row.placeholder) == std::string::npos);
    });
  }
}

TEST_CASE("any other body passes byte for byte") {
  const SnapshotPtr snapshot = scene();
  std::string body = "egret egregious ghp_egretHHH ";
  for (int byte = 0; byte < 256; ++byte)
    body += static_cast<char>(byte);
  body += body_placeholder.substr(0, body_placeholder.size() - 1);
  at_every_split(body, [&](const std::vector<std::string_view>& pieces) {
    const Guarded result = guarded(*snapshot, "https://plain.test", pieces);
    CHECK(result.reason.empty());
    CHECK(result.out == body);
    CHECK(result.uses.empty());
  });
}

namespace {

bool changes_length(const SandboxSnapshot& snapshot, const std::string& url, const Fields& fields) {
  const Target to = target(url);
  return BodyGuard(snapshot, to, request("POST", "/", fields).fields).changes_length();
}

// A value with everything that JSON, forms and URLs escape, for bodies at `a.test`.
const std::string odd_secret = "q\"b\\ s/p+l=u&s%";

SnapshotPtr odd_scene() {
  return make_snapshot(
      "web", 1, Policy({allow("*").methods({})}),
      GrantTable({grant("ODD", body_placeholder, odd_secret, {"a.test"}, {"body"})}),
      AddressRules());
}

}  // namespace

TEST_CASE("the length is known to change only where a substitution may happen") {
  const SnapshotPtr snapshot = scene();
  CHECK(changes_length(*snapshot, "https://body.test", {}));
  CHECK_FALSE(changes_length(*snapshot, "http://body.test", {}));
  CHECK_FALSE(changes_length(*snapshot, "https://hub.test", {}));
  CHECK_FALSE(changes_length(*snapshot, "https://hub.test", {{"content-encoding", "gzip"}}));
  // A value as long as its placeholder keeps the length, unless the body is coded.
  std::vector<Grant> same = {grant("SAME", hub_placeholder, hub_secret, {"a.test"}, {"body"})};
  const SnapshotPtr equal =
      make_snapshot("web", 1, Policy(), GrantTable(std::move(same)), AddressRules());
  CHECK_FALSE(changes_length(*equal, "https://a.test", {}));
  CHECK_FALSE(changes_length(*equal, "https://a.test", {{"content-type", "application/json"}}));
  CHECK(changes_length(*equal, "https://a.test", {{"content-encoding", "gzip"}}));
}

TEST_CASE("a value is put in as the body's type would hold it") {
  const SnapshotPtr snapshot = odd_scene();
  const std::string json = "q\\\"b\\\\ s/p+l=u&s%";
  const std::string form = "q%22b%5C%20s%2Fp%2Bl%3Du%26s%25";
  struct {
    const char* type;
    const std::string& value;
  } const rows[] = {{"application/json", json},
                    {"Application/JSON; charset=utf-8", json},
                    {"application/vnd.api+json", json},
                    {"application/x-ndjson", json},
                    {"application/x-www-form-urlencoded", form},
                    {"application/x-www-form-urlencoded;charset=UTF-8", form},
                    {"multipart/form-data; boundary=x", odd_secret},
                    {"text/plain", odd_secret},
                    {"application/jsonp", odd_secret},
                    {"", odd_secret}};
  for (const auto& row : rows) {
    CAPTURE(row.type);
    for (const bool coded_too : {false, true}) {
      const std::string text = "x=[" + body_placeholder + "]";
      Fields fields = {{"content-type", row.type}};
      if (coded_too) fields.emplace_back("content-encoding", "gzip");
      const Guarded result = guarded(*snapshot, "https://a.test",
                                     {coded_too ? coded(Coding::gzip, text) : text}, fields);
      CHECK(result.reason.empty());
      CHECK((coded_too ? plain(Coding::gzip, result.out) : result.out) == "x=[" + row.value + "]");
    }
  }
}

TEST_CASE("a coded body is substituted where the grant says so, at every split") {
  const SnapshotPtr snapshot = scene();
  const std::string text = "a " + body_placeholder + " b " + body_placeholder + " c";
  const std::string expected = "a " + body_secret + " b " + body_secret + " c";
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const Fields fields = {{"content-encoding", std::string(name_of(coding))}};
    at_every_split(coded(coding, text), [&](const std::vector<std::string_view>& pieces) {
      const Guarded result = guarded(*snapshot, "https://body.test", pieces, fields);
      CHECK(result.reason.empty());
      CHECK(plain(coding, result.out) == expected);
      REQUIRE(result.uses.size() == 1);
      CHECK(result.uses[0].count == 2);
    });
  }
}

TEST_CASE("a coding hides no placeholder where none may be, at any host") {
  const SnapshotPtr snapshot = scene();
  struct {
    const char* url;
    const std::string& placeholder;
    const char* reason;
  } const rows[] = {{"https://hub.test", hub_placeholder, "secret_location"},
                    {"https://plain.test", hub_placeholder, "secret_scope"},
                    {"http://body.test", body_placeholder, "secret_scope"},
                    {"https://body.test", hub_placeholder, "secret_scope"}};
  for (const auto& row : rows) {
    CAPTURE(row.url);
    for (const Coding coding : all_codings) {
      CAPTURE(name_of(coding));
      const std::string body = coded(coding, "before " + row.placeholder + " behind");
      const Fields fields = {{"content-encoding", std::string(name_of(coding))}};
      at_every_split(body, [&](const std::vector<std::string_view>& pieces) {
        const Guarded result = guarded(*snapshot, row.url, pieces, fields);
        CHECK(result.reason == row.reason);
        CHECK(result.status == 403);
        // It leaves cut short, whether as it came or coded anew.
        const auto decoder = make_decoder(coding, step_bytes_default);
        if (!result.out.empty()) CHECK_FALSE(through(*decoder, {result.out}).fault.empty());
      });
    }
    const std::string twice =
        coded(Coding::br, coded(Coding::gzip, "before " + row.placeholder + " behind"));
    CHECK(guarded(*snapshot, row.url, {twice}, {{"content-encoding", "gzip, br"}}).reason ==
          row.reason);
  }
}

TEST_CASE("where nothing is substituted a coded body leaves byte for byte") {
  const SnapshotPtr snapshot = scene();
  for (const Coding coding : all_codings) {
    const std::string body = coded(coding, "nothing to see " + std::string(3000, 'x'));
    const Fields fields = {{"content-encoding", std::string(name_of(coding))}};
    at_every_split(body, [&](const std::vector<std::string_view>& pieces) {
      CHECK(guarded(*snapshot, "https://hub.test", pieces, fields, 100).out == body);
    });
  }
  // What cannot be decoded passes there too: whoever gets it cannot decode it either.
  for (const char* coding : {"gzip", "compress", "aws-chunked"}) {
    CAPTURE(coding);
    const std::string body = "\x1f\x8b is not gzip, and " + std::string(100, 'x');
    const Fields fields = {{"content-encoding", coding}};
    CHECK(guarded(*snapshot, "https://hub.test", {body}, fields).out == body);
    CHECK(guarded(*snapshot, "https://hub.test", {body + hub_placeholder}, fields).reason ==
          "secret_location");
  }
}

TEST_CASE(
    "without memory to decode it a coded body is refused, also where it would only be searched") {
  const SnapshotPtr snapshot = scene();
  for (const char* url : {"https://hub.test", "https://body.test"}) {
    for (const Coding coding : all_codings) {
      CAPTURE(url);
      CAPTURE(name_of(coding));
      MemoryBudget spent(100);
      const Fields fields = {{"content-encoding", std::string(name_of(coding))}};
      const std::string body = coded(coding, "before " + hub_placeholder + " behind");
      const Guarded result = guarded(*snapshot, url, {body}, fields, step_bytes_default, &spent);
      CHECK(result.reason == "body_unreadable");
      CHECK(result.out.empty());
    }
  }
}

TEST_CASE("what has to be read and cannot be is refused, not cut short") {
  const SnapshotPtr snapshot = scene();
  const std::string text = "a " + body_placeholder + " b";
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const Fields fields = {{"content-encoding", std::string(name_of(coding))}};
    const std::string body = coded(coding, text);
    for (const std::string& broken : {body.substr(0, body.size() - 1), body + "x", text}) {
      const Guarded result = guarded(*snapshot, "https://body.test", {broken}, fields);
      CHECK(result.reason == "body_unreadable");
      CHECK(result.status == 415);
    }
  }
}

TEST_CASE("an unknown coding is refused before anything leaves, where a secret may be put in") {
  const SnapshotPtr snapshot = scene();
  for (const char* coding : {"compress", "gzip, br, zstd", "aws-chunked, gzip", "dcb"}) {
    CAPTURE(coding);
    const Admission refused = ask(*snapshot, "body.test", "/", {{"content-encoding", coding}});
    CHECK(outcome(refused) == "body_unreadable");
    CHECK(refused.refusal->status == 415);
    for (const char* elsewhere : {"hub.test", "plain.test"})
      CHECK(outcome(ask(*snapshot, elsewhere, "/", {{"content-encoding", coding}})) == "allowed");
  }
  CHECK(outcome(ask(*snapshot, "body.test", "/", {{"content-encoding", "gzip, br"}})) == "allowed");
}

TEST_CASE("many placeholders for a long value leave in steps, not all at once") {
  const std::string long_secret(8000, 's');
  const SnapshotPtr snapshot = make_snapshot(
      "web", 1, Policy(),
      GrantTable({grant("LONG", body_placeholder, long_secret, {"a.test"}, {"body"})}),
      AddressRules());
  std::string body;
  for (int i = 0; i < 1000; ++i)
    body += body_placeholder;
  const Target to = target("https://a.test");
  BodyGuard guard(*snapshot, to, FieldList());
  std::string_view rest = body;
  std::size_t bytes = 0;
  for (Progress progress = Progress::again; progress == Progress::again;) {
    std::string out;
    const auto step = guard.step(rest, Behind::end, out);
    REQUIRE(step.has_value());
    progress = *step;
    CHECK(out.size() <= 2 * step_bytes_default);
    bytes += out.size();
  }
  CHECK(bytes == 1000 * long_secret.size());
}
