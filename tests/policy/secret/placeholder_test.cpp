#include "policy/secret/placeholder.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include <doctest/doctest.h>

using namespace egret;

namespace {

RandomSource seeded(unsigned seed) {
  return [random = std::mt19937(seed)](std::span<unsigned char> bytes) mutable {
    for (unsigned char& byte : bytes)
      byte = static_cast<unsigned char>(random());
  };
}

std::string repeated(std::string_view prefix, std::size_t bytes) {
  std::string text(prefix);
  text.resize(bytes, 'x');
  return text;
}

}  // namespace

TEST_CASE("the shape keeps a known prefix and the length, where enough random characters fit") {
  struct {
    std::string value;
    const char* prefix;
    std::size_t bytes;
  } const rows[] = {
      {repeated("ghp_", 40), "ghp_", 40},
      {repeated("github_pat_", 93), "github_pat_", 93},
      {repeated("sk-ant-api03-", 108), "sk-ant-api03-", 108},
      {repeated("sk-ant-oat01-", 108), "sk-ant-oat01-", 108},
      {repeated("sk-proj-", 164), "sk-proj-", 164},
      {repeated("sk-", 51), "sk-", 51},
      {repeated("xoxb-", 57), "xoxb-", 57},
      {repeated("AIza", 39), "AIza", 39},
      {repeated("npm_", 40), "npm_", 40},
      {repeated("hf_", 37), "hf_", 37},
      // 4+5+22 characters and not one less
      {repeated("ghp_", 31), "ghp_", 31},
      {repeated("ghp_", 30), "ghp_", 40},
      {repeated("glpat-", 26), "glpat-", 40},
      {repeated("AKIA", 20), "AKIA", 40},
      {repeated("sk-ant-api03-", 39), "sk-ant-api03-", 40},
      {repeated("sk-ant-admin01-", 20), "", 40},
      {repeated("plain", 12), "", 40},
      {repeated("plain", 300), "", 40},
      {"", "", 40},
  };
  for (const auto& row : rows) {
    CAPTURE(row.value);
    const PlaceholderShape shape = shape_of(row.value);
    CHECK(shape.prefix == row.prefix);
    CHECK(shape.bytes == row.bytes);
    const Placeholder minted = Placeholder::mint(shape, seeded(1));
    CHECK(minted.text().size() == row.bytes);
    CHECK(minted.text().starts_with(std::string(row.prefix) + "egret"));
    CHECK(minted.marker_offset() == std::string(row.prefix).size());
  }
}

TEST_CASE("a minted placeholder is found again, whole, wherever it stands") {
  for (const char* prefix : {"", "ghp_", "sk-", "sk-proj-", "sk-ant-api03-", "github_pat_"}) {
    for (const std::size_t bytes : {40U, 60U, 108U}) {
      const Placeholder minted =
          Placeholder::mint({prefix, bytes}, seeded(static_cast<unsigned>(bytes)));
      CAPTURE(minted.text());
      const auto kept = Placeholder::parse(minted.text());
      REQUIRE(kept);
      CHECK(*kept == minted);
      CHECK(kept->marker_offset() == minted.marker_offset());
      for (const char* before : {"", "Bearer ", "token=", "%20", "/bot", "egret", "egretegret-"}) {
        for (const char* after : {"", "\"", "/x", "&y=z", "=", "%20", "\r\n"}) {
          const std::string text = before + minted.text() + after;
          const auto span = find_placeholder(text);
          REQUIRE(span);
          const std::string found = text.substr(span->begin, span->end - span->begin);
          // A marker right before a placeholder without prefix belongs to it.
          if (std::string(before) == "egret" && *prefix == '\0') continue;
          CHECK(found == minted.text());
          CHECK_FALSE(find_placeholder(text, span->end));
        }
      }
    }
  }
}

TEST_CASE("a candidate is the marker and 22 base62 characters, as far as they go") {
  const std::string random22 = "0123456789ABCDEFabcdef";
  struct {
    std::string text;
    std::string found;
  } const rows[] = {
      {"egret" + random22, "egret" + random22},
      {"egret" + random22.substr(1), ""},
      {"egret" + random22 + "x", "egret" + random22 + "x"},
      {"egret" + random22 + "-x", "egret" + random22},
      {"Xegret" + random22, "egret" + random22},
      {"ghp_egret" + random22, "ghp_egret" + random22},
      {"xghp_egret" + random22, "ghp_egret" + random22},
      {"_egret" + random22, "egret" + random22},
      {"sk-proj-egret" + random22, "sk-proj-egret" + random22},
      {"egretegret" + random22, "egretegret" + random22},
      {"egret egret-egret" + random22, "egret" + random22},
      {"EGRET" + random22, ""},
      {"egre" + random22, ""},
      {"egret" + random22.substr(0, 10) + "-" + random22.substr(10), ""},
      {"egrets are birds", ""},
      {"", ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto span = find_placeholder(row.text);
    REQUIRE(span.has_value() == !row.found.empty());
    if (span) CHECK(row.text.substr(span->begin, span->end - span->begin) == row.found);
  }
}

TEST_CASE("a search can go on behind a candidate, and never looks back before its start") {
  const std::string random22(22, 'a');
  const std::string text = "egret" + random22 + "/ghp_egret" + random22;
  const auto first = find_placeholder(text);
  REQUIRE(first);
  CHECK(first->begin == 0);
  const auto second = find_placeholder(text, first->end);
  REQUIRE(second);
  CHECK(second->begin == first->end + 1);
  const auto late = find_placeholder(text, first->end + 3);
  REQUIRE(late);
  CHECK(text.substr(late->begin, 5) == "egret");
  CHECK_FALSE(find_placeholder(text, text.size()));
  CHECK_FALSE(find_placeholder(text, text.size() + 100));
}

TEST_CASE("what was kept is read back only where it is well formed") {
  const std::string random22(22, 'z');
  CHECK(Placeholder::parse("egret" + random22));
  CHECK(Placeholder::parse("ghp_egret" + random22));
  for (const std::string& text :
       {std::string(), std::string("egret"), "egret" + random22.substr(1), "x-egret" + random22,
        "egret" + random22 + "-", "egret" + random22 + "\n", " egret" + random22,
        "xghp_egret" + random22, std::string("ghp_realtokenrealtokenrealtoken")}) {
    CAPTURE(text);
    CHECK_FALSE(Placeholder::parse(text));
  }
}

TEST_CASE("a shape that makes no sense still gives a well-formed placeholder") {
  for (const PlaceholderShape& shape :
       {PlaceholderShape{"", 0}, PlaceholderShape{"unknown-", 40}, PlaceholderShape{"ghp_", 5},
        PlaceholderShape{"egret", 40}}) {
    const Placeholder minted = Placeholder::mint(shape, seeded(5));
    CHECK(Placeholder::parse(minted.text()));
    CHECK(minted.text().size() - minted.marker_offset() >= 27);
  }
}

TEST_CASE("every base62 character is as likely as every other") {
  const RandomSource random = seeded(42);
  std::map<char, int> seen;
  constexpr int placeholders = 4000;
  for (int i = 0; i < placeholders; ++i) {
    const std::string text = Placeholder::mint({"", 67}, random).text();
    for (const char c : text.substr(5))
      ++seen[c];
  }
  CHECK(seen.size() == 62);
  // 4000 of each expected, standard deviation 63. Without rejection the first eight have 4844.
  for (const auto& entry : seen) {
    CAPTURE(entry.first);
    CHECK(entry.second > 4000 - 400);
    CHECK(entry.second < 4000 + 400);
  }
}

TEST_CASE("placeholders differ, and the bytes come from the source alone") {
  const RandomSource random = seeded(6);
  CHECK_FALSE(Placeholder::mint({}, random) == Placeholder::mint({}, random));
  CHECK(Placeholder::mint({}, seeded(6)) == Placeholder::mint({}, seeded(6)));
  // Bytes that would favour some characters are thrown away.
  int fills = 0;
  const RandomSource mostly_bad = [&](std::span<unsigned char> bytes) {
    ++fills;
    std::fill(bytes.begin(), bytes.end(), static_cast<unsigned char>(255));
    bytes[0] = 61;
  };
  CHECK(Placeholder::mint({"", 27}, mostly_bad).text() == "egret" + std::string(22, 'z'));
  CHECK(fills == 22);
}

TEST_CASE("a text full of markers is searched in linear time") {
  std::string text;
  while (text.size() < 1'000'000)
    text += "egret-";
  CHECK_FALSE(find_placeholder(text));
}
