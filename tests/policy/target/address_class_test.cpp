#include "policy/target/address_class.h"

#include <doctest/doctest.h>

using namespace egret;

namespace {

IpAddress address(const char* text) {
  const auto parsed = IpAddress::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

// The address one before (-1) or after (+1).
IpAddress neighbour(const IpAddress& of, int step) {
  IpAddress::Bytes bytes = of.bytes();
  for (int i = of.is_v4() ? 3 : 15; i >= 0; --i) {
    auto& byte = bytes[static_cast<std::size_t>(i)];
    byte = static_cast<std::uint8_t>(byte + step);
    if (byte != (step > 0 ? 0 : 0xff)) break;
  }
  return of.is_v4() ? IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]) : IpAddress::v6(bytes);
}

IpAddress last_of(const Cidr& range) {
  IpAddress::Bytes bytes = range.base().bytes();
  const int bits = range.base().is_v4() ? 32 : 128;
  for (int bit = range.prefix_bits(); bit < bits; ++bit) {
    bytes[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  }
  return range.base().is_v4() ? IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3])
                              : IpAddress::v6(bytes);
}

}  // namespace

TEST_CASE("every special range has its class at its first and last address, and not beyond") {
  using C = AddressClass;
  struct {
    const char* range;
    C inside;
    C before;
    C after;
  } const rows[] = {
      {"0.0.0.0/32", C::unspecified, C::reserved, C::reserved},
      {"10.0.0.0/8", C::private_use, C::global, C::global},
      {"100.64.0.0/10", C::private_use, C::global, C::global},
      {"127.0.0.0/8", C::loopback, C::global, C::global},
      {"169.254.0.0/16", C::link_local, C::global, C::global},
      {"172.16.0.0/12", C::private_use, C::global, C::global},
      {"192.0.0.0/24", C::reserved, C::global, C::global},
      {"192.0.2.0/24", C::documentation, C::global, C::global},
      {"192.88.99.0/24", C::reserved, C::global, C::global},
      {"192.168.0.0/16", C::private_use, C::global, C::global},
      {"198.18.0.0/15", C::documentation, C::global, C::global},
      {"198.51.100.0/24", C::documentation, C::global, C::global},
      {"203.0.113.0/24", C::documentation, C::global, C::global},
      {"224.0.0.0/4", C::multicast, C::global, C::reserved},
      {"::1/128", C::loopback, C::unspecified, C::reserved},
      {"64:ff9b::/96", C::reserved, C::reserved, C::reserved},
      {"64:ff9b:1::/48", C::reserved, C::reserved, C::reserved},
      {"100::/64", C::reserved, C::reserved, C::reserved},
      {"2001::/23", C::reserved, C::global, C::global},
      {"2001:db8::/32", C::documentation, C::global, C::global},
      {"2002::/16", C::reserved, C::global, C::global},
      {"3fff::/20", C::documentation, C::global, C::global},
      {"2000::/3", C::global, C::reserved, C::reserved},
      {"5f00::/16", C::reserved, C::reserved, C::reserved},
      {"fc00::/7", C::private_use, C::reserved, C::reserved},
      {"fe80::/10", C::link_local, C::reserved, C::reserved},
      {"fec0::/10", C::reserved, C::link_local, C::multicast},
  };
  for (const auto& row : rows) {
    CAPTURE(row.range);
    const auto range = Cidr::parse(row.range);
    REQUIRE(range);
    CHECK(classify(range->base()) == row.inside);
    CHECK(classify(last_of(*range)) == row.inside);
    if (range->base() != address("0.0.0.0")) {
      CHECK(classify(neighbour(range->base(), -1)) == row.before);
    }
    CHECK(classify(neighbour(last_of(*range), 1)) == row.after);
  }
  for (const char* text : {"240.0.0.0", "255.255.255.255", "255.255.255.254", "0.255.255.255"}) {
    CHECK(classify(address(text)) == C::reserved);
  }
  CHECK(classify(address("ff00::")) == C::multicast);
  CHECK(classify(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")) == C::multicast);
  CHECK(classify(address("::")) == C::unspecified);
  CHECK(classify(address("1.0.0.0")) == C::global);
}

TEST_CASE("metadata services have a class of their own, in every wrapping") {
  for (const char* text : {"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200",
                           "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254",
                           "::ffff:169.254.169.254", "::169.254.169.254", "::ffff:a83f:8110",
                           "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1"}) {
    CAPTURE(text);
    CHECK(classify(address(text)) == AddressClass::metadata);
  }
  CHECK(classify(address("168.63.129.15")) == AddressClass::global);
  CHECK(classify(address("169.254.169.253")) == AddressClass::link_local);
}

TEST_CASE("IPv4 inside IPv6 is unwrapped where it is the same place, and reserved elsewhere") {
  struct {
    const char* text;
    AddressClass address_class;
  } const rows[] = {
      {"::ffff:127.0.0.1", AddressClass::loopback},
      {"::ffff:7f00:1", AddressClass::loopback},
      {"::127.0.0.1", AddressClass::loopback},
      {"::ffff:10.1.2.3", AddressClass::private_use},
      {"::ffff:0.0.0.0", AddressClass::unspecified},
      {"::ffff:8.8.8.8", AddressClass::global},
      {"::2", AddressClass::reserved},
      {"64:ff9b::7f00:1", AddressClass::reserved},
      {"64:ff9b::808:808", AddressClass::reserved},
      {"2002:7f00:1::", AddressClass::reserved},
      {"2001:0:7f00:1::", AddressClass::reserved},
      {"2a00::5efe:7f00:1", AddressClass::reserved},
      {"2a00::200:5efe:7f00:1", AddressClass::reserved},
      {"2a00::5eff:7f00:1", AddressClass::global},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(classify(address(row.text)) == row.address_class);
  }
  CHECK(unwrapped(address("::ffff:1.2.3.4")) == address("1.2.3.4"));
  CHECK(unwrapped(address("::1.2.3.4")) == address("1.2.3.4"));
  CHECK(unwrapped(address("::1")) == address("::1"));
  CHECK(unwrapped(address("::")) == address("::"));
  CHECK(unwrapped(address("2001:db8::1")) == address("2001:db8::1"));
}
