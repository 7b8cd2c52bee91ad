// Every spelling is one that a reader turns into the value again.
#include "proxy/exchange/spellings.h"

#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "proxy/exchange/percent.h"

using namespace egret;

namespace {

std::set<std::string> spellings(std::string_view value) {
  std::set<std::string> all;
  unsigned calls = 0;
  for_each_text_spelling(value, [&](const std::string& text) {
    ++calls;
    all.insert(text);
  });
  CHECK(calls <= text_spellings_max);
  return all;
}

std::string read_as_json(const std::string& text) {
  const auto json = nlohmann::json::parse('"' + text + '"', nullptr, false);
  return json.is_string() ? json.get<std::string>() : std::string();
}

std::string read_as_form(std::string text) {
  for (char& c : text)
    c = c == '+' ? ' ' : c;
  return percent_decoded(text);
}

}  // namespace

TEST_CASE("every spelling of a value is read as that value, in URLs, forms or JSON") {
  std::string every;
  for (char c = ' '; c <= '~'; ++c)
    every += c;
  for (const std::string& value : {every, std::string("a b/c+d=e"), std::string("\\\"<&>'~%")}) {
    const auto all = spellings(value);
    CHECK(all.size() > 10);
    for (const std::string& text : all) {
      CAPTURE(text);
      CHECK((percent_decoded(text) == value || read_as_form(text) == value ||
             read_as_json(text) == value));
    }
  }
}

TEST_CASE("the usual writers are known") {
  const auto all = spellings("a b\"/<c>+=&'~");
  for (const char* text : {
           "a%20b%22%2F%3Cc%3E%2B%3D%26%27~",                    // RFC 3986
           "a+b%22%2f%3cc%3e%2b%3d%26%27~",                      // a form, lower case
           "a%20b%22%2F%3Cc%3E%2B%3D%26'~",                      // encodeURIComponent
           "a%20b%22/%3Cc%3E+=&'~",                              // encodeURI
           "a%20b%22/%3Cc%3E%2B%3D%26%27~",                      // Python's quote()
           "a b\\\"\\/<c>+=&'~",                                 // PHP
           "a b\\\"/\\u003cc\\u003e+=\\u0026'~",                 // Go
           "a b\\\"/\\u003cc\\u003e+\\u003d\\u0026\\u0027~",     // Gson
           "a b\\u0022/\\u003Cc\\u003E\\u002B=\\u0026\\u0027~",  // .NET
       }) {
    CAPTURE(text);
    CHECK(all.count(text) == 1);
  }
}

TEST_CASE("a value that nothing has to escape has no other spelling") {
  CHECK(spellings("ghp_0123456789abcdefghijABCDEFGHIJ012345").empty());
  CHECK(spellings("sk-ant-api03-a_b.c").empty());
}
