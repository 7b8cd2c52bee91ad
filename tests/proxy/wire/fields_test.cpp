#include "proxy/wire/fields.h"

#include <doctest/doctest.h>

using egret::FieldList;

namespace {

FieldList sample() {
  FieldList fields;
  fields.add("Accept", "a");
  fields.add("X-One", "1");
  fields.add("ACCEPT", "b");
  return fields;
}

}  // namespace

TEST_CASE("names are lower-cased, values and order kept") {
  const FieldList fields = sample();
  REQUIRE(fields.size() == 3);
  CHECK(fields[0].name == "accept");
  CHECK(fields[1].name == "x-one");
  CHECK(fields[2].value == "b");
  CHECK(fields.find("accept") == "a");
  CHECK(fields.count("accept") == 2);
  CHECK_FALSE(fields.has("Accept"));
  CHECK(fields.bytes() == 3 * 4 + (6 + 1) + (5 + 1) + (6 + 1));
}

TEST_CASE("removing a name removes every field of it and nothing else") {
  FieldList fields = sample();
  fields.remove("accept");
  REQUIRE(fields.size() == 1);
  CHECK(fields[0].name == "x-one");
  CHECK(fields[0].value == "1");
  fields.remove_at(0);
  CHECK(fields.empty());
  CHECK(fields.bytes() == 0);
}

TEST_CASE("a value can become shorter, longer, or empty without touching its neighbours") {
  FieldList fields = sample();
  for (const char* value : {"", "short", "a much longer value than there was room for", "1"}) {
    CAPTURE(value);
    fields.set_value(1, value);
    CHECK(fields[0].value == "a");
    CHECK(fields[1].name == "x-one");
    CHECK(fields[1].value == value);
    CHECK(fields[2].value == "b");
  }
}

TEST_CASE("a view into the list may be added to it, also when the storage grows") {
  FieldList fields;
  fields.add("first", std::string(300, 'x'));
  for (int i = 0; i < 20; ++i)
    fields.add(fields[0].name, fields[0].value);
  fields.set_value(0, fields[5].value.substr(0, 10));
  CHECK(fields[0].value == std::string(10, 'x'));
  REQUIRE(fields.size() == 21);
  for (std::size_t i = 1; i < fields.size(); ++i) {
    CAPTURE(i);
    CHECK(fields[i].name == "first");
    CHECK(fields[i].value == std::string(300, 'x'));
  }
}

TEST_CASE("wiping leaves no octet of a value behind, and the list usable") {
  FieldList fields;
  fields.add("authorization", "canary-value");
  const std::string_view storage = fields[0].value;
  const char* at = storage.data();
  const std::size_t bytes = storage.size();
  fields.clear();
  fields.wipe();
  // The block is still the list's own: wiping keeps what it has allocated.
  bool any_left = false;
  const std::string canary = "canary-value";
  for (std::size_t i = 0; i < bytes; ++i)
    any_left |= at[i] == canary[i];
  CHECK_FALSE(any_left);
  fields.add("a", "b");
  CHECK(fields.find("a") == "b");
}
