#include "proxy/exchange/base64.h"

#include <doctest/doctest.h>

using namespace egret;

TEST_CASE("base64 as in RFC 4648") {
  struct {
    const char* plain;
    const char* coded;
  } const rows[] = {{"", ""},
                    {"f", "Zg=="},
                    {"fo", "Zm8="},
                    {"foo", "Zm9v"},
                    {"foob", "Zm9vYg=="},
                    {"fooba", "Zm9vYmE="},
                    {"foobar", "Zm9vYmFy"}};
  for (const auto& row : rows) {
    CHECK(base64_encode(row.plain) == row.coded);
    CHECK(base64_decode(row.coded) == row.plain);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte)
    all += static_cast<char>(byte);
  CHECK(base64_decode(base64_encode(all)) == all);
}

TEST_CASE("base64 that two recipients could read differently is refused") {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm9v Zm9v",
                           "Zm9v\n", "Zm9-", "Zm_v", "=Zm9", "Zm=v", "Zg==Zg=="}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text).has_value());
  }
}

TEST_CASE("the core of a text stands in its base64 whatever is around it") {
  const std::string text = "some secret value";
  for (unsigned phase = 0; phase < 3; ++phase) {
    const std::string core = base64_core(text, phase);
    CHECK(core.size() >= text.size());
    for (const std::string behind : {"", "a", "zz", "\xff\xff\xff"}) {
      for (const char filler : {'\0', 'a', '\xff'}) {
        const std::string coded = base64_encode(std::string(phase + 3, filler) + text + behind);
        CHECK(coded.find(core) != std::string::npos);
      }
    }
  }
}
