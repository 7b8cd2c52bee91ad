// Where a placeholder counts, and what becomes of it anywhere else.
#include "proxy/exchange/placeholders.h"

#include "proxy/exchange/base64.h"
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

std::string basic(const std::string& credentials) {
  return "Basic " + base64_encode(credentials);
}

std::string percent_encoded(const std::string& text) {
  std::string out = "%";
  constexpr std::string_view hex = "0123456789abcdef";
  out += hex[static_cast<unsigned char>(text[0]) >> 4];
  out += hex[static_cast<unsigned char>(text[0]) & 15];
  return out + text.substr(1);
}

}  // namespace

TEST_CASE("a placeholder counts in a credential header of its own hosts, in every usual shape") {
  const SnapshotPtr snapshot = scene();
  struct {
    const char* host;
    const char* name;
    std::string value;
    std::string expected;
  } const rows[] = {
      {"hub.test", "authorization", "Bearer " + hub_placeholder, "Bearer " + hub_secret},
      {"api.hub.test", "authorization", "token " + hub_placeholder, "token " + hub_secret},
      {"hub.test", "x-api-key", hub_placeholder, hub_secret},
      {"hub.test", "private-token", hub_placeholder, hub_secret},
      {"hub.test", "authorization", basic("x-access-token:" + hub_placeholder),
       basic("x-access-token:" + hub_secret)},
      {"hub.test", "authorization", basic(hub_placeholder + ":"), basic(hub_secret + ":")},
      {"hub.test", "authorization", "basic " + base64_encode("git:" + hub_placeholder),
       basic("git:" + hub_secret)},
      {"field.test", "x-own", field_placeholder, field_secret},
      {"open.test", "authorization", "Bearer " + open_placeholder, "Bearer " + open_secret},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    CAPTURE(row.value);
    const RequestHead head = request("GET", "/", {{"host", row.host}, {row.name, row.value}});
    const RequestHead out = sent(*snapshot, inside(std::string("https://") + row.host), head);
    CHECK(out.fields.find(row.name) == row.expected);
    CHECK(out.fields.count(row.name) == 1);
  }
}

TEST_CASE("what was used, where and how often is known before anything leaves") {
  const SnapshotPtr snapshot = scene();
  const Admission header =
      ask(*snapshot, "hub.test", "/", {{"authorization", basic("u:" + hub_placeholder)}});
  REQUIRE(header.secrets.uses.size() == 1);
  CHECK(header.secrets.uses[0].grant->name == "HUB");
  CHECK(header.secrets.uses[0].in == "header:authorization");
  CHECK(header.secrets.uses[0].count == 1);
  const Admission path =
      ask(*snapshot, "path.test", "/bot" + path_placeholder + "/" + path_placeholder, {});
  REQUIRE(path.secrets.uses.size() == 1);
  CHECK(path.secrets.uses[0].in == "path");
  CHECK(path.secrets.uses[0].count == 2);
  const Admission query = ask(*snapshot, "query.test", "/?a=b&key=" + query_placeholder, {});
  REQUIRE(query.secrets.uses.size() == 1);
  CHECK(query.secrets.uses[0].in == "query:key");
}

TEST_CASE("a placeholder in any other place is refused, also at its own host") {
  const SnapshotPtr snapshot = scene();
  struct {
    const char* host;
    std::string path;
    Fields fields;
    const char* expected;
  } const rows[] = {
      {"hub.test", "/", {{"user-agent", hub_placeholder}}, "secret_location"},
      {"hub.test", "/", {{"referer", "https://x.test/?k=" + hub_placeholder}}, "secret_location"},
      {"hub.test", "/", {{"x-anything", "a " + hub_placeholder + " b"}}, "secret_location"},
      {"hub.test", "/", {{"cookie", "session=" + hub_placeholder}}, "secret_location"},
      // Field names are lower-cased, so that it is another text.
      {"hub.test", "/", {{hub_placeholder, "as a name"}}, "secret_scope"},
      {"hub.test", "/" + hub_placeholder, {}, "secret_location"},
      {"hub.test", "/?key=" + hub_placeholder, {}, "secret_location"},
      {"hub.test", "/?" + hub_placeholder + "=key", {}, "secret_location"},
      {"hub.test", "/?" + hub_placeholder, {}, "secret_location"},
      {"query.test", "/?other=" + query_placeholder, {}, "secret_location"},
      {"query.test", "/" + query_placeholder, {}, "secret_location"},
      {"query.test", "/", {{"authorization", "Bearer " + query_placeholder}}, "secret_location"},
      {"path.test", "/?key=" + path_placeholder, {}, "secret_location"},
      {"field.test", "/", {{"authorization", "Bearer " + field_placeholder}}, "secret_location"},
      {"body.test", "/", {{"authorization", "Bearer " + body_placeholder}}, "secret_location"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    CAPTURE(row.path);
    if (!row.fields.empty()) CAPTURE(row.fields[0].first);
    CHECK(outcome(ask(*snapshot, row.host, row.path, row.fields)) == row.expected);
  }
}

TEST_CASE("an encoded placeholder is neither substituted nor passed on") {
  const SnapshotPtr snapshot = scene();
  CHECK(outcome(ask(*snapshot, "query.test", "/?key=" + percent_encoded(query_placeholder), {})) ==
        "secret_location");
  CHECK(outcome(ask(*snapshot, "path.test", "/" + percent_encoded(path_placeholder), {})) ==
        "secret_location");
  CHECK(outcome(ask(*snapshot, "plain.test", "/" + percent_encoded(path_placeholder), {})) ==
        "secret_scope");
  CHECK(outcome(ask(*snapshot, "field.test", "/", {{"x-own", basic("u:" + field_placeholder)}})) ==
        "secret_location");
  CHECK(outcome(ask(*snapshot, "hub.test", "/", {{"x-api-key", basic("u:" + hub_placeholder)}})) ==
        "secret_location");
}

TEST_CASE("a placeholder at another host, or over plain http, is refused") {
  const SnapshotPtr snapshot = scene();
  for (const char* host : {"plain.test", "query.test", "hub.test.plain.test", "nothub.test"}) {
    CAPTURE(host);
    CHECK(outcome(ask(*snapshot, host, "/", {{"authorization", "Bearer " + hub_placeholder}})) ==
          "secret_scope");
    CHECK(outcome(ask(*snapshot, host, "/", {{"authorization", basic("u:" + hub_placeholder)}})) ==
          "secret_scope");
  }
  const Fields fields = {{"host", "hub.test"}, {"authorization", "Bearer " + hub_placeholder}};
  CHECK(outcome(admit(*snapshot, redirected(80), request("GET", "/", fields))) ==
        "secret_insecure");
  CHECK(outcome(admit(*snapshot, explicit_proxy(), request("GET", "http://hub.test/", fields))) ==
        "secret_insecure");
}

TEST_CASE("a placeholder that is none of this sandbox's raises an alarm") {
  const SnapshotPtr snapshot = scene();
  const Admission strange =
      ask(*snapshot, "hub.test", "/", {{"authorization", "Bearer " + strange_placeholder}});
  CHECK(outcome(strange) == "secret_scope");
  CHECK(strange.alarm == "foreign_placeholder");
  // One character more or less is another placeholder.
  CHECK(ask(*snapshot, "hub.test", "/", {{"authorization", "Bearer " + hub_placeholder + "H"}})
            .alarm == "foreign_placeholder");
  CHECK(ask(*snapshot, "hub.test", "/", {{"authorization", "Bearer " + hub_placeholder}})
            .alarm.empty());
}

TEST_CASE("a secret is escaped for the place where it stands") {
  const SnapshotPtr snapshot = scene();
  const RequestHead query =
      sent(*snapshot, inside("https://query.test"),
           request("GET", "/a?x=1&key=" + query_placeholder + "&y=2", {{"host", "query.test"}}));
  CHECK(query.target == "/a?x=1&key=query%20value%3A%20a%26b%3Dc%2Fd%3Fe%2541%2B~&y=2");
  const RequestHead path =
      sent(*snapshot, inside("https://path.test"),
           request("GET", "/bot" + path_placeholder + "/getMe?x", {{"host", "path.test"}}));
  CHECK(path.target == "/bot123456%3AAAE-path%2F..%2Fvalue/getMe?x");
}

TEST_CASE("a request without a placeholder is passed as it is") {
  const SnapshotPtr snapshot = scene();
  const RequestHead head =
      request("GET", "/a?egret=1&short=egretAAAA", {{"host", "plain.test"}, {"x", "my egret"}});
  const RequestHead out = sent(*snapshot, inside("https://plain.test"), head);
  CHECK(out.target == head.target);
  CHECK(out.fields.find("x") == "my egret");
}

TEST_CASE("text that a secret brings along is not looked at again") {
  // The first value holds the second placeholder.
  const std::string nested = "value with " + field_placeholder + " inside";
  std::vector<Grant> grants = {
      grant("OUTER", open_placeholder, nested, {"a.test"}, {"header"}),
      grant("INNER", field_placeholder, field_secret, {"a.test"}, {"header"})};
  const SnapshotPtr snapshot = make_snapshot("web", 1, Policy({allow("a.test")}),
                                             GrantTable(std::move(grants)), AddressRules());
  const RequestHead out =
      sent(*snapshot, inside("https://a.test"),
           request("GET", "/", {{"host", "a.test"}, {"x-api-key", open_placeholder}}));
  CHECK(out.fields.find("x-api-key") == nested);
}

TEST_CASE("only base64 that every recipient reads alike is decoded") {
  const SnapshotPtr snapshot = scene();
  std::string unpadded = base64_encode("git:" + hub_placeholder);
  REQUIRE(unpadded.ends_with('='));
  unpadded.pop_back();
  CHECK(outcome(ask(*snapshot, "hub.test", "/", {{"authorization", "Basic " + unpadded}})) ==
        "foreign_credential");
}
