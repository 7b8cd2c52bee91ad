// At a host with a grant a credential is the sandbox's placeholder or nothing: an attacker's own
// key at an allowed API would be an exit (ATTACKS A23, F11).
#include "proxy/exchange/base64.h"
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

std::string basic(const std::string& credentials) {
  return "Basic " + base64_encode(credentials);
}

const std::string attacker = "ghp_ATTACKERattackerATTACKERattacker0000";

}  // namespace

TEST_CASE("another credential is refused at a host with a grant") {
  const SnapshotPtr snapshot = scene();
  const Fields rows = {
      {"authorization", "Bearer " + attacker},
      {"authorization", "token " + attacker},
      {"authorization", "anything"},
      {"authorization", ""},
      {"authorization", basic("user:" + attacker)},
      {"authorization", "Bearer " + hub_placeholder + " " + attacker},
      {"authorization", "Bearer " + attacker + " " + hub_placeholder},
      {"authorization", "Bearer " + hub_placeholder + "," + attacker},
      {"x-api-key", attacker},
      {"private-token", attacker},
      {"x-goog-api-key", attacker},
      {"x-amz-security-token", attacker},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CAPTURE(row.second);
    CHECK(outcome(ask(*snapshot, "hub.test", "/", {row})) == "foreign_credential");
    CHECK(outcome(ask(*snapshot, "plain.test", "/", {row})) != "foreign_credential");
  }
}

TEST_CASE("neither half of Basic may bring a credential along beside the placeholder") {
  const SnapshotPtr snapshot = scene();
  for (const std::string& credentials :
       {hub_placeholder + ":" + attacker, attacker + ":" + hub_placeholder,
        "a:b:" + attacker + ":" + hub_placeholder}) {
    CAPTURE(credentials);
    CHECK(outcome(ask(*snapshot, "hub.test", "/", {{"authorization", basic(credentials)}})) ==
          "foreign_credential");
  }
  for (const std::string& credentials :
       {"x-access-token:" + hub_placeholder, "octo-cat:" + hub_placeholder, ":" + hub_placeholder,
        hub_placeholder + ":", hub_placeholder + ":x-oauth-basic"}) {
    CAPTURE(credentials);
    CHECK(outcome(ask(*snapshot, "hub.test", "/", {{"authorization", basic(credentials)}})) ==
          "allowed");
  }
}

TEST_CASE("a second credential beside the placeholder is refused") {
  const SnapshotPtr snapshot = scene();
  const std::string good = "Bearer " + hub_placeholder;
  const Admission twice =
      ask(*snapshot, "hub.test", "/", {{"authorization", good}, {"Authorization", good}});
  REQUIRE(twice.refusal.has_value());
  CHECK(twice.refusal->status == 400);
  CHECK(outcome(ask(*snapshot, "hub.test", "/",
                    {{"authorization", good}, {"authorization", attacker}})) != "allowed");
  CHECK(outcome(ask(*snapshot, "hub.test", "/",
                    {{"authorization", good}, {"x-api-key", attacker}})) == "foreign_credential");
}

TEST_CASE("a query parameter that carries credentials is one too, however it is spelled") {
  const SnapshotPtr snapshot = scene();
  for (const char* name : {"key", "KEY", "Key", "%6bey", "access_token", "access%5ftoken",
                           "api_key", "apikey", "private_token", "auth_token"}) {
    CAPTURE(name);
    CHECK(outcome(ask(*snapshot, "hub.test", std::string("/?a=b&") + name + "=" + attacker, {})) ==
          "foreign_credential");
  }
  CHECK(outcome(ask(*snapshot, "query.test", "/?key=" + query_placeholder + "&key=" + attacker,
                    {})) == "foreign_credential");
  CHECK(outcome(ask(*snapshot, "hub.test", "/?page=2&q=key", {})) == "allowed");
  CHECK(outcome(ask(*snapshot, "plain.test", "/?key=" + attacker, {})) == "allowed");
}

TEST_CASE("a field that a grant names is a carrier at its hosts") {
  const SnapshotPtr snapshot = scene();
  CHECK(outcome(ask(*snapshot, "field.test", "/", {{"x-own", attacker}})) == "foreign_credential");
  CHECK(outcome(ask(*snapshot, "field.test", "/",
                    {{"x-own", field_placeholder}, {"x-own", attacker}})) != "allowed");
  CHECK(outcome(ask(*snapshot, "hub.test", "/", {{"x-own", "harmless here"}})) == "allowed");
}

TEST_CASE("cookies do not reach a host with a grant") {
  const SnapshotPtr snapshot = scene();
  const Fields cookie = {{"host", "hub.test"}, {"cookie", "session=attacker"}};
  CHECK_FALSE(sent(*snapshot, inside("https://hub.test"), request("GET", "/", cookie))
                  .fields.has("cookie"));
  const Fields elsewhere = {{"host", "plain.test"}, {"cookie", "session=mine"}};
  CHECK(sent(*snapshot, inside("https://plain.test"), request("GET", "/", elsewhere))
            .fields.find("cookie") == "session=mine");
}

TEST_CASE("`foreign: allow` lets another credential pass, as it is") {
  const SnapshotPtr snapshot = scene();
  const Fields fields = {{"host", "open.test"}, {"authorization", "Bearer " + attacker}};
  const RequestHead out =
      sent(*snapshot, inside("https://open.test"), request("GET", "/?key=x", fields));
  CHECK(out.fields.find("authorization") == "Bearer " + attacker);
}

TEST_CASE("no credential at all is fine") {
  CHECK(outcome(ask(*scene(), "hub.test", "/", {})) == "allowed");
}
