#include "policy/decide/address_gate.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/policy/decide/rule_builder.h"

using namespace egret;
using namespace egret::test;

namespace {

IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

Permit permit(std::string_view url, std::string_view rule) {
  std::vector<Rule> rules;
  rules.push_back(allow(rule));
  const Policy policy(std::move(rules));
  const Target to = target(url);
  const Verdict verdict = decide(policy, Ask{to, "GET", nullptr});
  REQUIRE(std::holds_alternative<Permit>(verdict));
  return std::get<Permit>(verdict);
}

bool passes(const Permit& by, const AddressRules& rules, std::string_view to) {
  const auto checked = check_address(by, rules, address(to));
  if (checked) {
    CHECK(checked->address() == address(to));
  } else {
    CHECK(checked.error().reason == Reason::addr_forbidden);
    CHECK_FALSE(checked.error().hint.empty());
  }
  return checked.has_value();
}

const char* const metadata[] = {"169.254.169.254",   "169.254.170.2",     "169.254.170.23",
                                "fd00:ec2::254",     "fd20:ce::254",      "100.100.100.200",
                                "192.0.0.192",       "168.63.129.16",     "::ffff:169.254.169.254",
                                "::169.254.169.254", "64:ff9b::a9fe:a9fe"};

}  // namespace

TEST_CASE("a name leads to public addresses only") {
  const Permit by = permit("https://a.example", "a.example");
  const AddressRules none;
  for (const char* text : {"8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "1.1.1.1"}) {
    CAPTURE(text);
    CHECK(passes(by, none, text));
  }
  for (const char* text : {"127.0.0.1",
                           "127.8.8.8",
                           "::1",
                           "10.0.0.1",
                           "172.16.0.1",
                           "192.168.1.1",
                           "100.64.0.1",
                           "169.254.1.1",
                           "0.0.0.0",
                           "::",
                           "fe80::1",
                           "fc00::1",
                           "224.0.0.1",
                           "ff02::1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::7f00:1",
                           "2002:7f00:1::",
                           "2001::1",
                           "192.0.2.1",
                           "198.18.0.1",
                           "203.0.113.1",
                           "2001:db8::1"}) {
    CAPTURE(text);
    CHECK_FALSE(passes(by, none, text));
  }
}

TEST_CASE("an opened range opens its own addresses, also wrapped in IPv6") {
  const Permit by = permit("https://a.example", "a.example");
  AddressRules rules;
  rules.allowed = {*Cidr::parse("10.1.0.0/16"), *Cidr::parse("fd00::/8")};
  for (const char* text : {"10.1.2.3", "::ffff:10.1.2.3", "fd12::1"})
    CHECK(passes(by, rules, text));
  for (const char* text : {"10.2.0.1", "::ffff:10.2.0.1", "fc00::1", "127.0.0.1"}) {
    CHECK_FALSE(passes(by, rules, text));
  }
  const auto refused = check_address(by, rules, address("10.2.0.1"));
  CHECK(refused.error().hint.find("origins.allow_addresses") != std::string::npos);
  CHECK(refused.error().hint.find("10.2.0.1 (private)") != std::string::npos);
}

TEST_CASE("metadata is refused whatever a rule, a range or a pin says") {
  AddressRules rules;
  rules.allowed = {Cidr(address("0.0.0.0"), 0), Cidr(address("::"), 0)};
  for (const char* text : metadata) {
    CAPTURE(text);
    CHECK_FALSE(passes(permit("https://a.example", "a.example"), rules, text));
    const Host literal = Host::from_address(address(text));
    const IpAddress plain = address(text);
    CHECK_FALSE(
        passes(permit("https://" + literal.authority_text(), plain.is_v4() ? "0.0.0.0/0" : "::/0"),
               rules, text));
    AddressRules pinned = rules;
    pinned.pins.push_back({pattern("a.example"), address(text), std::nullopt});
    CHECK_FALSE(passes(permit("https://a.example", "a.example"), pinned, text));
    CHECK_FALSE(
        check_pin(permit("https://a.example", "a.example"), pinned.pins.front()).has_value());
  }
}

TEST_CASE("the machine's own addresses are refused unless they are pinned") {
  const Permit by = permit("https://a.example", "a.example");
  AddressRules rules;
  rules.own_addresses = {address("127.0.0.1"), address("::1"), address("8.8.4.4"),
                         address("192.168.7.7")};
  rules.allowed = {Cidr(address("0.0.0.0"), 0), Cidr(address("::"), 0)};
  for (const char* text : {"127.0.0.1", "::1", "8.8.4.4", "192.168.7.7", "::ffff:8.8.4.4",
                           "::ffff:127.0.0.1", "0.0.0.0", "::", "::ffff:0.0.0.0"}) {
    CAPTURE(text);
    CHECK_FALSE(passes(by, rules, text));
    rules.pins = {{pattern("a.example"), address(text), std::nullopt}};
    CHECK(passes(by, rules, text));
    rules.pins = {{pattern("b.example"), address(text), std::nullopt}};
    CHECK_FALSE(passes(by, rules, text));
    rules.pins.clear();
  }
  CHECK(passes(by, rules, "192.168.7.8"));
  const Permit named = permit("http://127.0.0.1", "127.0.0.0/8");
  const auto refused = check_address(named, rules, address("127.0.0.1"));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("origins.resolve") != std::string::npos);
}

TEST_CASE("a denied address or range is denied to the names that lead there, too") {
  std::vector<Rule> written;
  written.push_back(allow("a.example"));
  written.push_back(deny("8.8.4.0/24"));
  written.push_back(deny("2606:4700::/32"));
  written.push_back(deny("9.9.9.9").ports({443}));
  written.push_back(deny("b.example"));
  AddressRules rules;
  rules.denied = denied_ranges(written);
  CHECK(rules.denied.size() == 3);
  rules.allowed = {Cidr(address("0.0.0.0"), 0), Cidr(address("::"), 0)};
  const Permit by = permit("https://a.example", "a.example");
  for (const char* text : {"8.8.4.4", "::ffff:8.8.4.4", "2606:4700::1", "9.9.9.9"}) {
    CAPTURE(text);
    CHECK_FALSE(passes(by, rules, text));
    CHECK_FALSE(check_address(by, rules, address(text)).error().rule.empty());
  }
  CHECK(passes(by, rules, "8.8.8.8"));
  CHECK(passes(permit("http://a.example", "a.example"), rules, "9.9.9.9"));
  // What origins.resolve opens for one name is more exact.
  rules.pins = {{pattern("a.example"), address("8.8.4.4"), std::nullopt}};
  CHECK(passes(by, rules, "8.8.4.4"));
}

TEST_CASE("a rule that names an address opens it, and only it") {
  const AddressRules none;
  CHECK(passes(permit("http://10.1.2.3", "10.1.2.3"), none, "10.1.2.3"));
  CHECK(passes(permit("http://10.1.2.3", "10.1.0.0/16"), none, "10.1.2.3"));
  CHECK(passes(permit("http://127.0.0.1", "127.0.0.1"), none, "127.0.0.1"));
  CHECK_FALSE(passes(permit("http://10.1.2.3", "10.1.0.0/16"), none, "10.1.2.4"));
  CHECK_FALSE(passes(permit("http://8.8.8.8", "8.8.8.8"), none, "8.8.4.4"));
  CHECK_FALSE(passes(permit("http://0.0.0.0", "0.0.0.0"), none, "0.0.0.0"));
}

TEST_CASE("a pin dials its own address and port, and the exact name's pin comes first") {
  AddressRules rules;
  rules.pins.push_back({pattern("*.test"), address("127.0.0.3"), std::nullopt});
  rules.pins.push_back({pattern("*.w.test"), address("127.0.0.2"), std::nullopt});
  rules.pins.push_back({pattern("a.w.test"), address("127.0.0.1"), std::uint16_t{8443}});
  rules.pins.push_back({pattern("*.a.w.test"), address("127.0.0.4"), std::nullopt});
  struct {
    const char* host;
    const char* address;
    std::uint16_t port;
  } const rows[] = {
      {"a.w.test", "127.0.0.1", 8443},  {"b.w.test", "127.0.0.2", 443},
      {"x.test", "127.0.0.3", 443},     {"w.test", "127.0.0.3", 443},
      {"x.a.w.test", "127.0.0.4", 443},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    const ResolvePin* pin = pin_for(rules, host(row.host));
    REQUIRE(pin != nullptr);
    const auto checked = check_pin(permit("https://" + std::string(row.host), row.host), *pin);
    REQUIRE(checked.has_value());
    CHECK(checked->address() == address(row.address));
    CHECK(checked->port() == row.port);
  }
  CHECK(pin_for(rules, host("a.example")) == nullptr);
  const auto other = check_pin(permit("https://evil.example", "evil.example"), rules.pins.back());
  CHECK_FALSE(other.has_value());
}
