#include "policy/target/request_path.h"

#include <string>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

TEST_CASE("a path keeps its bytes and knows its query") {
  struct {
    const char* text;
    const char* path;
    const char* query;
    bool has_query;
  } const rows[] = {
      {"/", "/", "", false},
      {"*", "*", "", false},
      {"/a/b?x=y?z", "/a/b", "x=y?z", true},
      {"/a?", "/a", "", true},
      {"/a%2Fb/../c", "/a%2Fb/../c", "", false},
      {"/{a}|^`'()[]~", "/{a}|^`'()[]~", "", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto path = RequestPath::parse(row.text);
    REQUIRE(path.has_value());
    CHECK(path->text() == row.text);
    CHECK(path->path() == row.path);
    CHECK(path->query() == row.query);
    CHECK(path->has_query() == row.has_query);
  }
}

TEST_CASE("a request target that is not origin-form is refused") {
  for (const std::string& text :
       {""s, "a"s, "@evil.example/"s, "http://a/"s, "**"s, "*?"s, "?x"s}) {
    CAPTURE(text);
    const auto path = RequestPath::parse(text);
    REQUIRE_FALSE(path.has_value());
    CHECK(path.error() == PathFault::no_leading_slash);
  }
  const auto longest = "/" + std::string(8191, 'a');
  CHECK(RequestPath::parse(longest).has_value());
  const auto longer = RequestPath::parse(longest + "a");
  REQUIRE_FALSE(longer.has_value());
  CHECK(longer.error() == PathFault::too_long);
}

TEST_CASE("no control, space, fragment, backslash, quote or non-ASCII byte stands in a path") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool allowed =
        byte > 0x20 && byte < 0x7f && std::string("#\\\"<>").find(c) == std::string::npos;
    CAPTURE(byte);
    CHECK(RequestPath::parse("/a"s + c + "b").has_value() == allowed);
    CHECK(RequestPath::parse("/a?b"s + c).has_value() == allowed);
  }
}

TEST_CASE("a path is canonical where no origin can read it as another one") {
  for (const char* text : {"/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/...", "/a/..b", "/a/b..",
                           "/a%20b", "/%40x", "/a?x=../..//%2e%2e", "/a;x=1/b", "/a/;x=1",
                           "/%C3%BC", "/%e2%82%ac", "/100%25", "/a%25zz", "*"}) {
    CAPTURE(text);
    CHECK(RequestPath::parse(text)->is_canonical());
  }
  // A18
  for (const char* text : {"/allowed/../secret",
                           "/allowed/%2e%2e/secret",
                           "/allowed/%2E%2e/secret",
                           "/allowed/.%2e/secret",
                           "/allowed/..%2fsecret",
                           "/allowed/..;/secret",
                           "/allowed/..;x=1/secret",
                           "/allowed/..%3b/secret",
                           "/allowed/..%3B/secret",
                           "/allowed/.;/x",
                           "//secret",
                           "/allowed/;x/secret",
                           "/allowed/%3b/secret",
                           "/allowed/..%253b/secret",
                           "/a//b",
                           "/allowed%2f..%2f",
                           "/a/./b",
                           "/a/.",
                           "/a/..",
                           "/..",
                           "/.",
                           "/a%5cb",
                           "/a%5Cb",
                           "/a%00",
                           "/a%0a",
                           "/a%7f",
                           "/%252e%252e/secret",
                           "/%25252e",
                           "/a%252fb",
                           "/a%255c",
                           "/a%2500",
                           "/%c0%ae%c0%ae/x",
                           "/%C1%9c",
                           "/%e0%80%ae",
                           "/%f0%80%80%ae",
                           "/a%",
                           "/a%2",
                           "/a%zz",
                           "/a%2g",
                           "/%73ecret",
                           "/%7Eroot",
                           "/a%2Db",
                           "/a%5f"}) {
    CAPTURE(text);
    const auto path = RequestPath::parse(text);
    REQUIRE(path.has_value());
    CHECK_FALSE(path->is_canonical());
  }
}

TEST_CASE("a lenient reading folds, decodes and drops parameters") {
  CHECK(lenient_path("/A%40B;x=1/c;y") == "/a@b/c");
  CHECK(lenient_path("/%41;%2e/%zz%4") == "/a/%zz%4");
  CHECK(lenient_path("") == "");
}
