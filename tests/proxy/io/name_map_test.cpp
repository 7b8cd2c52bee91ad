#include "proxy/io/name_map.h"

#include <doctest/doctest.h>

namespace egret {
namespace {

Host host(const std::string& name) {
  return *Host::parse(name);
}

TEST_CASE("every name gets one address of each family, and both lead back to it") {
  NameMap names;
  const auto first = names.address_for(host("a.example"));
  const auto second = names.address_for(host("b.example"));
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  CHECK(first->is_new);
  CHECK(first->v4.text() == "198.18.0.1");
  CHECK(second->v4.text() == "198.18.0.2");
  CHECK(first->v6 != second->v6);
  CHECK(names.name_of(first->v4) == host("a.example"));
  CHECK(names.name_of(first->v6) == host("a.example"));
  CHECK(names.name_of(second->v6) == host("b.example"));
}

TEST_CASE("a name that was asked for before keeps its addresses") {
  NameMap names;
  const auto first = names.address_for(host("a.example"));
  const auto again = names.address_for(host("A.example."));
  REQUIRE(again.has_value());
  CHECK_FALSE(again->is_new);
  CHECK(again->v4 == first->v4);
  CHECK(again->v6 == first->v6);
}

TEST_CASE("an address that nobody was given leads to no name") {
  NameMap names;
  CHECK(names.address_for(host("a.example")).has_value());
  for (const char* text :
       {"198.18.0.0", "198.18.0.2", "198.17.255.255", "127.0.0.1", "0.0.0.0", "255.255.255.255",
        "::1", "fd65:6772:6574::", "fd65:6772:6574::2", "fd65:6772:6574:1::1", "2001:db8::1"}) {
    CAPTURE(text);
    CHECK_FALSE(names.name_of(*IpAddress::parse(text)).has_value());
  }
}

TEST_CASE("past the last address a new name gets none, and an old one keeps its own") {
  NameMap names;
  for (std::size_t i = 0; i < NameMap::names_max; ++i) {
    if (!names.address_for(host("n" + std::to_string(i) + ".example"))) FAIL("too early: " << i);
  }
  CHECK_FALSE(names.address_for(host("one.more.example")).has_value());
  CHECK(names.address_for(host("n0.example")).has_value());
  // The last one is still inside 198.18.0.0/15.
  const auto last =
      names.address_for(host("n" + std::to_string(NameMap::names_max - 1) + ".example"));
  REQUIRE(last.has_value());
  CHECK(Cidr::parse("198.18.0.0/15")->contains(last->v4));
}

}  // namespace
}  // namespace egret
