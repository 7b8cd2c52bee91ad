// Whatever bytes go into a JSON string, it ends where it should and reads back.
#include "proxy/wire/json_string.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace egret;

namespace {

constexpr std::size_t no_limit = 1U << 20U;

std::string every_byte() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte)
    bytes += static_cast<char>(byte);
  return bytes;
}

std::string escaped(std::string_view text, JsonQuotes quotes, std::size_t bytes_max = no_limit) {
  std::string out;
  append_json_escaped(text, quotes, bytes_max, out);
  return out;
}

}  // namespace

TEST_CASE("any byte becomes printable text that reads back as its code point") {
  for (const JsonQuotes quotes : {JsonQuotes::short_form, JsonQuotes::hex}) {
    const std::string out = escaped(every_byte(), quotes);
    for (const char c : out)
      CHECK((c >= 0x20 && c < 0x7f));
    const auto json = nlohmann::json::parse('"' + out + '"', nullptr, false);
    REQUIRE(json.is_string());
    const auto text = json.get<std::string>();
    CHECK(text.substr(0, 0x80) == every_byte().substr(0, 0x80));
    CHECK(text.size() == 0x80 + 2 * 0x80);
  }
}

TEST_CASE("quotes are told by a backslash or leave no quote behind") {
  CHECK(escaped(R"(a"b\c)", JsonQuotes::short_form) == R"(a\"b\\c)");
  CHECK(escaped(R"(a"b\c)", JsonQuotes::hex) == R"(a\u0022b\u005cc)");
}

TEST_CASE("a cut never leaves half an escape, at any length") {
  const std::string text = "plain\x01\"\\\xff tail";
  for (const JsonQuotes quotes : {JsonQuotes::short_form, JsonQuotes::hex}) {
    const std::string whole = escaped(text, quotes);
    for (std::size_t limit = 0; limit <= whole.size(); ++limit) {
      CAPTURE(limit);
      std::string out;
      CHECK(append_json_escaped(text, quotes, limit, out) == (limit >= whole.size()));
      CHECK(out.size() <= limit);
      CHECK(whole.substr(0, out.size()) == out);
      CHECK_FALSE(nlohmann::json::parse('"' + out + '"', nullptr, false).is_discarded());
    }
  }
}
