#include "policy/target/punycode.h"

#include <random>

#include <doctest/doctest.h>

using namespace egret;

TEST_CASE("the samples of RFC 3492 decode and encode") {
  struct {
    std::u32string label;
    const char* encoded;
  } const rows[] = {
      {U"\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628"
       U"\u064a\u061f",
       "egbpdaj6bu4bxfgehfvwxn"},
      {U"\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587", "ihqwcrb4cv8a8dqg056pqjye"},
      {U"\u306a\u305c\u307f\u3093\u306a\u65e5\u672c\u8a9e\u3092\u8a71\u3057\u3066\u304f\u308c\u306a"
       U"\u3044\u306e\u304b",
       "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"},
      {U"b\u00fccher", "bcher-kva"},
      {U"3\u5e74b\u7d44\u91d1\u516b\u5148\u751f", "3b-ww4c5e180e575a65lsy2b"},
      {U"\u305d\u306e\u30b9\u30d4\u30fc\u30c9\u3067", "d9juau41awczczp"},
      {U"\U0001f4a9", "ls8h"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.encoded);
    CHECK(punycode_encode(row.label) == row.encoded);
    CHECK(punycode_decode(row.encoded) == row.label);
  }
}

TEST_CASE("labels of random code points survive encoding and decoding") {
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::u32string label;
    for (auto size = 1 + random() % 10; size > 0; --size) {
      const char32_t limits[] = {0x80, 0x800, 0xd000, 0x10ffff};
      const auto c = static_cast<char32_t>(random() % limits[random() % 4]);
      if (c >= 0xd800 && c <= 0xdfff) continue;
      label += c == '-' || c == 0 ? U'a' : c;
    }
    const auto encoded = punycode_encode(label);
    REQUIRE(encoded);
    // All-ASCII labels end with the delimiter and decode too; upper case is no digit but is
    // literal.
    if (encoded->size() <= 63) REQUIRE(punycode_decode(*encoded) == label);
  }
}

TEST_CASE("no text makes the decoder overflow or loop") {
  for (const char* text : {"99999999", "999999999999999999999999", "a-99999999999", "-", "--", "A",
                           "b!", "\xff", "kva\xc3", "99999b9999"}) {
    CAPTURE(text);
    const auto decoded = punycode_decode(text);
    if (decoded) CHECK(decoded->size() <= 63);
  }
  std::mt19937 random(5);
  for (int i = 0; i < 100000; ++i) {
    std::string text;
    for (auto size = random() % 30; size > 0; --size) {
      text += "abcxyz0189-"[random() % 11];
    }
    const auto decoded = punycode_decode(text);
    if (!decoded) continue;
    for (const char32_t c : *decoded)
      REQUIRE(c <= 0x10ffff);
  }
  CHECK_FALSE(punycode_encode(std::u32string(64, U'\u00fc')));
  CHECK_FALSE(punycode_encode(std::u32string(1, char32_t{0xd800})));
  CHECK_FALSE(punycode_encode(std::u32string(1, char32_t{0x110000})));
}
