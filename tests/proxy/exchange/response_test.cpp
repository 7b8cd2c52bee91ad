// What of an origin's answer reaches the client.
#include "proxy/exchange/base64.h"
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

ResponseHead response(int status, const Fields& fields) {
  ResponseHead head;
  head.status = status;
  head.reason = "OK";
  for (const auto& [name, value] : fields)
    head.fields.add(name, value);
  return head;
}

std::shared_ptr<const Needles> nothing() {
  return std::make_shared<const Needles>(std::vector<Needles::Entry>{});
}

std::string redacted(const std::shared_ptr<const Needles>& needles,
                     const std::vector<std::string_view>& pieces) {
  StreamReplacer replacer(needles);
  std::string out;
  for (const std::string_view piece : pieces)
    replacer.push(piece, out);
  replacer.finish(out);
  return out;
}

// The decoded text that a base64 string stands for, whatever it is padded to.
std::string decoded(std::string text) {
  auto plain = base64_decode(text);
  REQUIRE(plain.has_value());
  return *plain;
}

}  // namespace

TEST_CASE("hop-by-hop fields and what would lead around the gate are not passed on") {
  for (const char* name : {"connection", "proxy-connection", "keep-alive", "upgrade", "alt-svc",
                           "proxy-authenticate", "proxy-status", "proxy-authentication-info"}) {
    CAPTURE(name);
    ResponseHead head = response(200, {{"x-first", "1"}, {name, "h3=\":443\""}, {"x-last", "2"}});
    std::uint64_t redactions = 0;
    REQUIRE(clean_response(head, nothing(), redactions).has_value());
    CHECK_FALSE(head.fields.has(name));
    CHECK(head.fields.find("x-first") == "1");
    CHECK(head.fields.find("x-last") == "2");
  }
}

TEST_CASE("what an origin nominates is dropped, unless the client needs it") {
  ResponseHead head = response(200, {{"connection", "close, X-Hop, Content-Type"},
                                     {"x-hop", "1"},
                                     {"content-type", "text/plain"}});
  std::uint64_t redactions = 0;
  REQUIRE(clean_response(head, nothing(), redactions).has_value());
  CHECK_FALSE(head.fields.has("x-hop"));
  CHECK(head.fields.find("content-type") == "text/plain");
}

TEST_CASE("an origin's 407 cannot ask for the gate's credentials") {
  ResponseHead head = response(407, {{"proxy-authenticate", "Basic realm=\"gate\""}});
  std::uint64_t redactions = 0;
  const auto cleaned = clean_response(head, nothing(), redactions);
  REQUIRE_FALSE(cleaned.has_value());
  CHECK(cleaned.error().status == 502);
}

TEST_CASE("a secret in a response head is redacted and counted") {
  const SnapshotPtr snapshot = scene();
  ResponseHead head =
      response(302, {{"location", "https://x.test/?k=" + hub_secret + "&again=" + hub_secret},
                     {"set-cookie", "t=" + hub_secret},
                     {"x-clean", "clean"}});
  head.reason = "Bad " + hub_secret;
  std::uint64_t redactions = 0;
  REQUIRE(clean_response(head, needles_for_response(*snapshot, host("hub.test")), redactions)
              .has_value());
  CHECK(redactions == 4);
  CHECK(head.fields.find("location") ==
        "https://x.test/?k=" + hub_placeholder + "&again=" + hub_placeholder);
  CHECK(head.fields.find("set-cookie") == "t=" + hub_placeholder);
  CHECK(head.fields.find("x-clean") == "clean");
  CHECK(head.reason == "Bad " + hub_placeholder);
}

TEST_CASE("a secret in a body is redacted at every split, whatever host sends it") {
  const SnapshotPtr snapshot = scene();
  const std::string body = "{\"token\":\"" + hub_secret + "\",\"other\":\"" + body_secret + "\"}";
  for (const char* from : {"hub.test", "body.test", "plain.test"}) {
    CAPTURE(from);
    const auto& needles = needles_for_response(*snapshot, host(from));
    const std::string whole = redacted(needles, {body});
    CHECK(whole.find(hub_secret) == std::string::npos);
    CHECK(whole.find(body_secret) == std::string::npos);
    CHECK(whole.find(hub_placeholder) != std::string::npos);
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
      const std::string_view all = body;
      CHECK(redacted(needles, {all.substr(0, cut), all.substr(cut)}) == whole);
    }
  }
}

TEST_CASE("at hosts without a grant the length of a body does not change") {
  const SnapshotPtr snapshot = scene();
  const auto& needles = needles_for_response(*snapshot, host("plain.test"));
  CHECK(needles->keeps_length());
  for (const std::string& secret : {hub_secret, body_secret, field_secret, path_secret}) {
    const std::string out = redacted(needles, {secret});
    CHECK(out.size() == secret.size());
    CHECK(out.find(secret) == std::string::npos);
  }
}

TEST_CASE("a secret in base64 is found in every phase, and what is around it stays decodable") {
  const SnapshotPtr snapshot = scene();
  for (const char* from : {"hub.test", "plain.test"}) {
    const auto& needles = needles_for_response(*snapshot, host(from));
    for (const std::string before : {"", "u", "u:", "us:", "user:", "x-access-token:"}) {
      for (const std::string behind : {"", "\n", "ab", "abc"}) {
        CAPTURE(from);
        CAPTURE(before);
        CAPTURE(behind);
        const std::string text = base64_encode(before + hub_secret + behind);
        const std::string out = redacted(needles, {"Basic " + text + " end"});
        CHECK(out.size() == text.size() + 10);
        const std::string plain = decoded(out.substr(6, text.size()));
        // All but the characters that share a group with a neighbour.
        CHECK(plain.find(hub_secret.substr(2, hub_secret.size() - 4)) == std::string::npos);
        CHECK(plain.starts_with(before));
        CHECK(plain.ends_with(behind));
      }
    }
  }
}

TEST_CASE("a secret is found in the spellings that URLs and JSON give it") {
  // Its bytes give `+` and `/` in base64, `%` in a URL and `\\` in JSON.
  const std::string secret = "a/b\"c?>?>?>~~~end of it";
  const SnapshotPtr snapshot = make_snapshot(
      "web", 1, Policy(),
      GrantTable({grant("ODD", open_placeholder, secret, {"a.test"}, {"header"})}), AddressRules());
  std::string safe = base64_encode(secret);
  REQUIRE(safe.find_first_of("+/") != std::string::npos);
  for (char& c : safe)
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  std::string slashed = base64_encode(secret);
  for (std::size_t at = slashed.find('/'); at != std::string::npos; at = slashed.find('/', at + 2))
    slashed.insert(at, 1, '\\');
  REQUIRE(slashed != base64_encode(secret));
  const std::string spellings[] = {secret,
                                   "a%2Fb%22c%3F%3E%3F%3E%3F%3E~~~end%20of%20it",
                                   "a/b\\\"c?>?>?>~~~end of it",
                                   "a\\/b\\\"c?>?>?>~~~end of it",
                                   "a%2fb%22c%3f%3e%3f%3e%3f%3e~~~end%20of%20it",
                                   "a%2Fb%22c%3F%3E%3F%3E%3F%3E~~~end+of+it",
                                   "a%2Fb%22c%3F%3E%3F%3E%3F%3E%7E%7E%7Eend+of+it",
                                   "a/b%22c%3F%3E%3F%3E%3F%3E~~~end%20of%20it",
                                   "a/b%22c?%3E?%3E?%3E~~~end%20of%20it",
                                   "a/b\\\"c?\\u003e?\\u003e?\\u003e~~~end of it",
                                   "a/b\\u0022c?\\u003E?\\u003E?\\u003E~~~end of it",
                                   base64_encode(secret),
                                   safe,
                                   slashed};
  for (const char* from : {"a.test", "plain.test"}) {
    for (const std::string& spelling : spellings) {
      CAPTURE(from);
      CAPTURE(spelling);
      const std::string out =
          redacted(needles_for_response(*snapshot, host(from)), {"<" + spelling + ">"});
      CHECK(out.find(spelling.substr(4, spelling.size() - 8)) == std::string::npos);
      CHECK(out.starts_with('<'));
      CHECK(out.ends_with('>'));
    }
  }
}

TEST_CASE("a host with a grant is asked for what can be scanned: whole and readable") {
  const SnapshotPtr snapshot = scene();
  const Fields extra = {
      {"accept-encoding", "gzip;q=0.5, compress"}, {"range", "bytes=0-3"}, {"if-range", "\"tag\""}};
  Fields at_grant = {{"host", "hub.test"}};
  at_grant.insert(at_grant.end(), extra.begin(), extra.end());
  const RequestHead scanned =
      sent(*snapshot, inside("https://hub.test"), request("GET", "/", at_grant));
  CHECK(scanned.fields.find("accept-encoding") == "gzip;q=0.5");
  CHECK(scanned.fields.count("accept-encoding") == 1);
  CHECK_FALSE(scanned.fields.has("range"));
  CHECK_FALSE(scanned.fields.has("if-range"));
  Fields elsewhere = {{"host", "plain.test"}};
  elsewhere.insert(elsewhere.end(), extra.begin(), extra.end());
  const RequestHead free =
      sent(*snapshot, inside("https://plain.test"), request("GET", "/", elsewhere));
  CHECK(free.fields.find("accept-encoding") == "gzip;q=0.5, compress");
  CHECK(free.fields.find("range") == "bytes=0-3");
}
