#include "policy/secret/grant.h"

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "tests/policy/decide/rule_builder.h"

using namespace egret;
using namespace egret::test;

namespace {

Place place(std::string_view text) {
  auto parsed = Place::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return *parsed;
}

Grant grant(const std::string& name, char random, std::vector<HostPattern> hosts,
            std::vector<Place> places, Foreign foreign = Foreign::refuse) {
  auto secret = Secret::from("the real value of " + name);
  REQUIRE(secret.has_value());
  return Grant{name,
               *Placeholder::parse("ghp_egret" + std::string(31, random)),
               std::make_shared<const Secret>(std::move(*secret)),
               std::move(hosts),
               std::move(places),
               foreign};
}

}  // namespace

TEST_CASE("a place is written as it is read") {
  struct {
    const char* text;
    PlaceKind kind;
    const char* name;
  } const rows[] = {
      {"header", PlaceKind::credential_headers, ""},
      {"header:x-api-key", PlaceKind::header, "x-api-key"},
      {"query:key", PlaceKind::query, "key"},
      {"query:Api_Key[]", PlaceKind::query, "Api_Key[]"},
      {"path", PlaceKind::path, ""},
      {"body", PlaceKind::body, ""},
      {"websocket", PlaceKind::websocket, ""},
  };
  for (const auto& row : rows) {
    const Place parsed = place(row.text);
    CHECK(parsed.kind == row.kind);
    CHECK(parsed.name == row.name);
    CHECK(parsed.text() == row.text);
  }
  CHECK(place("header:X-Api-Key").text() == "header:x-api-key");
}

TEST_CASE("what is no place is refused with what to write") {
  for (const char* text : {"",
                           "headers",
                           "Header",
                           "header:",
                           "header: x",
                           "header:x y",
                           "header:x:y",
                           "header:\xc3\xbc",
                           "header:host",
                           "header:Host",
                           "header:content-length",
                           "header:transfer-encoding",
                           "header:connection",
                           "header:proxy-authorization",
                           "query:",
                           "query:a=b",
                           "query:a&b",
                           "query:a%20",
                           "query:a b",
                           "cookie",
                           "path:/x",
                           "body:json",
                           "WebSocket",
                           "websocket:text"}) {
    CAPTURE(text);
    const auto parsed = Place::parse(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK_FALSE(parsed.error().what.empty());
    CHECK(parsed.error().instead.find('`') != std::string::npos);
  }
}

TEST_CASE("credential headers are known by their lower-case name") {
  for (const char* name : {"authorization", "x-api-key", "api-key", "x-goog-api-key",
                           "private-token", "x-auth-token", "cookie", "proxy-authorization"}) {
    CAPTURE(name);
    CHECK(is_credential_header(name));
  }
  for (const char* name : {"", "accept", "user-agent", "Authorization", "authorization ", "x-api",
                           "content-type", "referer", "x-amz-meta-key"}) {
    CAPTURE(name);
    CHECK_FALSE(is_credential_header(name));
  }
}

TEST_CASE("a grant covers its hosts over https and nothing else") {
  const Grant one =
      grant("A", 'a', {pattern("api.example"), pattern("*.w.example")}, {place("header")});
  struct {
    const char* url;
    bool covered;
  } const rows[] = {
      {"https://api.example", true},       {"https://api.example:8443", true},
      {"https://a.w.example", true},       {"http://api.example", false},
      {"tcp://api.example:443", false},    {"https://xapi.example", false},
      {"https://api.example.evil", false}, {"https://w.example", false},
      {"https://x.api.example", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.url);
    CHECK(one.covers(target(row.url)) == row.covered);
  }
  CHECK(one.covers(host("api.example")));
  CHECK_FALSE(one.covers(host("evil.example")));
  CHECK_FALSE(grant("B", 'b', {}, {}).covers(target("https://api.example")));
}

TEST_CASE("a grant counts in its own places") {
  const Grant usual = grant("A", 'a', {}, {place("header")});
  CHECK(usual.allows_header("authorization"));
  CHECK(usual.allows_header("cookie"));
  CHECK_FALSE(usual.allows_header("user-agent"));
  CHECK_FALSE(usual.allows_query("key"));
  CHECK(usual.has(PlaceKind::credential_headers));
  CHECK_FALSE(usual.has(PlaceKind::body));

  const Grant narrow =
      grant("B", 'b', {}, {place("header:x-own"), place("query:key"), place("body")});
  CHECK(narrow.allows_header("x-own"));
  CHECK_FALSE(narrow.allows_header("authorization"));
  CHECK(narrow.allows_query("key"));
  CHECK_FALSE(narrow.allows_query("Key"));
  CHECK_FALSE(narrow.allows_query("x-own"));
  CHECK_FALSE(narrow.allows_header("key"));
  CHECK(narrow.has(PlaceKind::body));
  CHECK_FALSE(narrow.has(PlaceKind::path));
}

TEST_CASE("a table finds a placeholder by its whole text only") {
  std::vector<Grant> grants;
  grants.push_back(grant("A", 'a', {pattern("a.example")}, {place("header")}));
  grants.push_back(grant("B", 'b', {pattern("b.example")}, {place("header")}, Foreign::allow));
  const GrantTable table(std::move(grants));
  CHECK(table.grants().size() == 2);
  const std::string text = table.grants()[1].placeholder.text();
  REQUIRE(table.find(text) != nullptr);
  CHECK(table.find(text)->name == "B");
  CHECK(table.find(text)->secret->reveal() == "the real value of B");
  for (const std::string& near :
       {std::string(), text.substr(1), text.substr(0, text.size() - 1), text + "b", " " + text,
        "ghp_egret" + std::string(31, 'c'), std::string("B")}) {
    CAPTURE(near);
    CHECK(table.find(near) == nullptr);
  }
  CHECK(table.any_covers(host("a.example")));
  CHECK(table.any_covers(host("b.example")));
  CHECK_FALSE(table.any_covers(host("c.example")));
  CHECK(table.refuses_foreign(host("a.example")));
  CHECK_FALSE(table.refuses_foreign(host("b.example")));
  CHECK_FALSE(table.refuses_foreign(host("c.example")));
  CHECK(GrantTable().empty());
  CHECK(GrantTable().find(text) == nullptr);
}
