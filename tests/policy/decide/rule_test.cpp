#include "policy/decide/rule.h"

#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace egret;

namespace {

bool matches(std::string_view pattern, std::string_view path) {
  const auto parsed = PathPattern::parse(pattern);
  REQUIRE_MESSAGE(parsed.has_value(), pattern);
  return parsed->matches(path);
}

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments(1);
  for (const char c : path.substr(1)) {
    if (c == '/') {
      segments.emplace_back();
    } else {
      segments.back() += c;
    }
  }
  return segments;
}

bool glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return glob(pattern.substr(1), text) || (!text.empty() && glob(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] && glob(pattern.substr(1), text.substr(1));
}

// The meaning of a pattern, by trying everything.
bool reference(const std::vector<std::string>& pattern, std::size_t p,
               const std::vector<std::string>& path, std::size_t s) {
  if (p == pattern.size()) return s == path.size();
  if (pattern[p] == "**") {
    for (std::size_t next = s; next <= path.size(); ++next) {
      if (reference(pattern, p + 1, path, next)) return true;
    }
    return false;
  }
  if (s == path.size() || (pattern[p] == "*" && path[s].empty())) return false;
  return glob(pattern[p], path[s]) && reference(pattern, p + 1, path, s + 1);
}

}  // namespace

TEST_CASE("`*` is one segment or a part of one, `**` any number of segments") {
  struct {
    const char* pattern;
    const char* path;
    bool match;
  } const rows[] = {
      {"/repos/acme/**", "/repos/acme", true},
      {"/repos/acme/**", "/repos/acme/", true},
      {"/repos/acme/**", "/repos/acme/x/y", true},
      {"/repos/acme/**", "/repos/acmex", false},
      {"/repos/acme/**", "/repos/acmex/y", false},
      {"/repos/acme/**", "/repos", false},
      {"/repos/acme/**", "/x/repos/acme/y", false},
      {"/repos/*/issues", "/repos/a/issues", true},
      {"/repos/*/issues", "/repos/a/b/issues", false},
      {"/repos/*/issues", "/repos//issues", false},
      {"/repos/*", "/repos/", false},
      {"/repos/*", "/repos", false},
      {"/v*/x", "/v1/x", true},
      {"/v*/x", "/v/x", true},
      {"/v*/x", "/w1/x", false},
      {"/*.git/info", "/a.git/info", true},
      {"/*.git/info", "/a.gitx/info", false},
      {"/a*b*c", "/aXbYbZc", true},
      {"/a*b*c", "/aXbYbZ", false},
      {"/", "/", true},
      {"/", "/a", false},
      {"/a", "/a/", false},
      {"/a/", "/a/", true},
      {"/a/", "/a", false},
      {"/**", "/", true},
      {"/**", "/a/b/c", true},
      {"/**/x", "/x", true},
      {"/**/x", "/a/b/x", true},
      {"/**/x", "/a/b/xx", false},
      {"/a/**/b/**/c", "/a/b/c", true},
      {"/a/**/b/**/c", "/a/1/b/2/3/c", true},
      {"/a/**/b/**/c", "/a/1/c/2/b", false},
      {"/A", "/a", false},
      {"/a", "*", false},
      {"/**", "*", false},
      {"/**", "", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.path);
    CHECK(matches(row.pattern, row.path) == row.match);
  }
}

TEST_CASE("a path pattern means what trying everything means") {
  std::mt19937 random(17);
  const auto path = [&](std::vector<std::string> pieces) {
    std::string text;
    for (auto count = 1 + random() % 5; count > 0; --count) {
      text += "/" + pieces[random() % pieces.size()];
    }
    return text;
  };
  int hits = 0;
  for (int i = 0; i < 50000; ++i) {
    const std::string pattern = path({"a", "b", "ab", "*", "a*", "*b", "a*b", "**", "**"});
    const std::string text = path({"a", "b", "ab", "aab", "abb"});
    const bool expected = reference(segments_of(pattern), 0, segments_of(text), 0);
    hits += expected;
    CAPTURE(pattern);
    CAPTURE(text);
    REQUIRE(matches(pattern, text) == expected);
  }
  CHECK(hits > 1000);
}

TEST_CASE("a hostile path does not make matching slow") {
  std::string stars = "/";
  for (int i = 0; i < 30; ++i)
    stars += "a*";
  std::string deep;
  for (int i = 0; i < 2000; ++i)
    deep += "/a";
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(matches(stars + "b", "/" + std::string(8000, 'a')));
  CHECK_FALSE(matches("/**/a/**/a/**/a/**/a/**/a/**/b", deep));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("a path pattern that could match nothing is refused with what to write") {
  struct {
    const char* text;
    const char* instead;
  } const rows[] = {
      {"", "`/**`"},         {"repos/*", "`/repos/*`"}, {"/a?x=1", "write `/a`"},
      {"/a/../b", "`..`"},   {"/a//b", "`//`"},         {"/%61", "`%`"},
      {"/a**", "write `*`"}, {"/**x/y", "write `*`"},   {"/a#b", "remove"},
      {"/a b", "remove"},    {"/***", "write `*`"},     {"/\xc3\xbc", "remove"},
      {"*", "`/*`"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto parsed = PathPattern::parse(row.text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK_MESSAGE(parsed.error().instead.find(row.instead) != std::string::npos,
                  parsed.error().instead);
  }
}
