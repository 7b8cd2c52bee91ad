#include "policy/target/address.h"

#include <random>

#include <doctest/doctest.h>

using namespace egret;

TEST_CASE("an IPv4 address is four decimal numbers and nothing else") {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "192.0.2.10"}) {
    CAPTURE(text);
    const auto address = IpAddress::parse(text);
    REQUIRE(address);
    CHECK(address->is_v4());
    CHECK(address->text() == text);
  }
  // B03: each of these is 127.0.0.1 to getaddrinfo.
  for (const char* text :
       {"2130706433", "0x7f000001",     "0177.0.0.1", "127.1",      "0",
        "0x7f.1",     "00000177.0.0.1", "127.0.0.1.", "127.0.0.01", "127.0.0.256",
        "127.0.0",    "127.0.0.1.1",    " 127.0.0.1", "127.0.0.1 ", "127..0.1",
        "1.2.3.+4",   "1.2.3.-4",       "1.2.3.4/8",  "",           ".",
        "a.b.c.d"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("127.0.0.1\0.allowed.example", 26)));
}

TEST_CASE("an IPv6 address is read as in RFC 4291 and written as in RFC 5952") {
  struct {
    const char* text;
    const char* canonical;
  } const rows[] = {
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8::1", "2001:db8::1"},
      {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"0:0:1:0:0:0:1:1", "0:0:1::1:1"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"::ffff:127.0.0.1", "::ffff:127.0.0.1"},
      {"::ffff:7f00:1", "::ffff:127.0.0.1"},
      {"::127.0.0.1", "::7f00:1"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto address = IpAddress::parse(row.text);
    REQUIRE(address);
    CHECK_FALSE(address->is_v4());
    CHECK(address->text() == row.canonical);
    CHECK(IpAddress::parse(address->text()) == address);
  }
  for (const char* text : {":",
                           ":::",
                           "1:::2",
                           "1::2::3",
                           "::1%lo",
                           "::1%25lo",
                           "[::1]",
                           "1:2:3:4:5:6:7",
                           ":1",
                           "1:",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "12345::",
                           "::g",
                           "::1.2.3",
                           "1.2.3.4::",
                           "::1.2.3.4:1",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::256.0.0.1",
                           "::01.2.3.4",
                           "::1/64",
                           " ::1",
                           "::1 ",
                           "::-1",
                           "::+1"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("::1\0", 4)));
}

TEST_CASE("every IPv6 address survives being written and read") {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    IpAddress::Bytes bytes{};
    for (std::size_t group = 0; group < 8; ++group) {
      // Many zero groups, so that every place of the gap comes up.
      if (random() % 2 == 0) continue;
      bytes[2 * group] = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : 0);
      bytes[2 * group + 1] = static_cast<std::uint8_t>(random());
    }
    const auto address = IpAddress::v6(bytes);
    REQUIRE(IpAddress::parse(address.text()) == address);
  }
}

TEST_CASE("a range holds its own family's addresses from its first to its last") {
  struct {
    const char* range;
    const char* address;
    bool inside;
  } const rows[] = {
      {"10.0.0.0/8", "10.0.0.0", true},
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "9.255.255.255", false},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "1.2.3.4", false},
      {"::/0", "ffff::", true},
      {"fc00::/7", "fdff::1", true},
      {"fc00::/7", "fe00::", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"10.0.0.0/8", "::ffff:10.0.0.1", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.range);
    CAPTURE(row.address);
    const auto range = Cidr::parse(row.range);
    const auto address = IpAddress::parse(row.address);
    REQUIRE(range);
    REQUIRE(address);
    CHECK(range->contains(*address) == row.inside);
    CHECK(range->text() == row.range);
  }
}

TEST_CASE("a range with bits behind its prefix, or a bad prefix, is refused") {
  for (const char* text :
       {"10.1.2.3/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/8 ", "/8",
        "::/129", "2001:db8::1/32", "10.0.0.0/1000", "x/8"}) {
    CAPTURE(text);
    CHECK_FALSE(Cidr::parse(text));
  }
  CHECK(Cidr(*IpAddress::parse("10.1.2.3"), 8).text() == "10.0.0.0/8");
  CHECK(Cidr(*IpAddress::parse("10.1.2.3"), 99).single());
}
