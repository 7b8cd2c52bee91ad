// Placeholders in request bodies, found wherever the body is cut.
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

struct Guarded {
  std::string out;
  std::string reason;  // empty: passed
  std::vector<PlannedUse> uses;
};

Guarded guarded(const SandboxSnapshot& snapshot, const std::string& url,
                const std::vector<std::string_view>& pieces) {
  const Target to = target(url);
  BodyGuard guard(snapshot, to);
  Guarded result;
  std::optional<Refusal> refusal;
  for (const std::string_view piece : pieces) {
    std::string out;
    if (refusal = guard.push(piece, out); refusal) break;
    result.out += out;
  }
  if (!refusal) {
    std::string out;
    refusal = guard.finish(out);
    if (!refusal) result.out += out;
  }
  if (refusal) result.reason = name(refusal->denial.reason);
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

TEST_CASE("the length is known to change only where a substitution may happen") {
  const SnapshotPtr snapshot = scene();
  const Target covered = target("https://body.test");
  const Target plain_http = target("http://body.test");
  const Target other = target("https://hub.test");
  CHECK(BodyGuard(*snapshot, covered).changes_length());
  CHECK_FALSE(BodyGuard(*snapshot, plain_http).changes_length());
  CHECK_FALSE(BodyGuard(*snapshot, other).changes_length());
  // A value as long as its placeholder keeps the length.
  std::vector<Grant> same = {grant("SAME", hub_placeholder, hub_secret, {"a.test"}, {"body"})};
  const SnapshotPtr equal =
      make_snapshot("web", 1, Policy(), GrantTable(std::move(same)), AddressRules());
  const Target a = target("https://a.test");
  CHECK_FALSE(BodyGuard(*equal, a).changes_length());
}
