#include "policy/target/host.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

#include "policy/target/punycode.h"

using namespace egret;
using namespace std::string_literals;

TEST_CASE("a host has one canonical text") {
  struct {
    std::string text;
    std::string canonical;
  } const rows[] = {
      {"example.com", "example.com"},
      {"EVIL.Example.", "evil.example"},
      {"a", "a"},
      {"localhost", "localhost"},
      {"_dmarc.a_b.example", "_dmarc.a_b.example"},
      {"r3---sn-apo3qvuoxuxbt-j5pe.googlevideo.com", "r3---sn-apo3qvuoxuxbt-j5pe.googlevideo.com"},
      {"1.example", "1.example"},
      {"1.2.3.4.example", "1.2.3.4.example"},
      {"0xa.example", "0xa.example"},
      {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
      {std::string(63, 'a') + ".example", std::string(63, 'a') + ".example"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto host = Host::parse(row.text);
    REQUIRE(host.has_value());
    CHECK(host->text() == row.canonical);
    CHECK(host->authority_text() == row.canonical);
    CHECK_FALSE(host->is_address());
  }
}

TEST_CASE("a host that is not canonical after folding is refused, and the fault says why") {
  const std::string long_label(64, 'a');
  std::string long_name;
  while (long_name.size() < 252)
    long_name += "a.";
  struct {
    std::string text;
    HostFault fault;
  } const rows[] = {
      {"", HostFault::empty},
      {".", HostFault::empty_label},
      {"..", HostFault::empty_label},
      {".example.com", HostFault::empty_label},
      {"allowed.example..", HostFault::empty_label},
      {"allowed..example", HostFault::empty_label},
      {long_label + ".example", HostFault::too_long},
      {long_name + "aa", HostFault::too_long},
      {std::string(5000, 'a'), HostFault::too_long},
      {"-a.example", HostFault::bad_label},
      {"a-.example", HostFault::bad_label},
      {"a.-", HostFault::bad_label},
      {"evil.example\0.allowed.example"s, HostFault::forbidden_byte},
      {"evil%2eexample", HostFault::forbidden_byte},
      {"evil%00.allowed.example", HostFault::forbidden_byte},
      {"allowed.example@evil.example", HostFault::forbidden_byte},
      {"a b", HostFault::forbidden_byte},
      {"a,b", HostFault::forbidden_byte},
      {"*.example", HostFault::forbidden_byte},
      {"evil\xe3\x80\x82"
       "com",
       HostFault::forbidden_byte},
      {"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", HostFault::forbidden_byte},
      {"b\xc3\xbc"
       "cher.example",
       HostFault::forbidden_byte},
      {"::1", HostFault::forbidden_byte},
      {"example.com:443", HostFault::forbidden_byte},
      {"a[b", HostFault::forbidden_byte},
      {"[allowed.example]", HostFault::bad_address},
      {"[[allowed.example]]", HostFault::bad_address},
      {"[[::1]]", HostFault::bad_address},
      {"[::1%25lo]", HostFault::bad_address},
      {"[::1%lo]", HostFault::bad_address},
      {"[127.0.0.1]", HostFault::bad_address},
      {"[::1", HostFault::bad_address},
      {"[]", HostFault::bad_address},
      {"[", HostFault::bad_address},
      {"[::1]x", HostFault::bad_address},
      {"[::1\0]"s, HostFault::bad_address},
      // B03
      {"2130706433", HostFault::bad_address},
      {"0x7f000001", HostFault::bad_address},
      {"0X7F000001", HostFault::bad_address},
      {"0177.0.0.1", HostFault::bad_address},
      {"127.1", HostFault::bad_address},
      {"0", HostFault::bad_address},
      {"0x7f.1", HostFault::bad_address},
      {"00000177.0.0.1", HostFault::bad_address},
      {"127.0.0.1.5", HostFault::bad_address},
      {"256.0.0.1", HostFault::bad_address},
      {"example.0x1", HostFault::bad_address},
      {"example.123", HostFault::bad_address},
      {"127.1.", HostFault::bad_address},
      // A13
      {"xn--", HostFault::bad_a_label},
      {"xn--example-.org", HostFault::bad_a_label},
      {"example.org.xn--", HostFault::bad_a_label},
      {"xn--a", HostFault::bad_a_label},
      {"xn---", HostFault::bad_a_label},
      {"xn--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa99999999", HostFault::bad_a_label},
      {"xn--bcher-kv_.example", HostFault::bad_a_label},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto host = Host::parse(row.text);
    REQUIRE_FALSE(host.has_value());
    CHECK(host.error() == row.fault);
    CHECK_FALSE(describe(host.error()).empty());
  }
}

TEST_CASE("a name of 253 octets is a host, with and without its trailing dot") {
  std::string name;
  for (int i = 0; i < 3; ++i)
    name += std::string(63, 'a') + ".";
  name += std::string(61, 'b');
  REQUIRE(name.size() == 253);
  CHECK(Host::parse(name).has_value());
  CHECK(Host::parse(name + ".").has_value());
  CHECK_FALSE(Host::parse(name + "b").has_value());
}

TEST_CASE("no byte but those of a host name passes, wherever it stands") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    CAPTURE(byte);
    CHECK(Host::parse(c + "evil.example"s).has_value() == (letter || digit || c == '_'));
    CHECK(Host::parse("ev"s + c + "il.example").has_value() ==
          (letter || digit || c == '_' || c == '-' || c == '.'));
    CHECK(Host::parse("evil.example"s + c).has_value() ==
          (letter || digit || c == '_' || c == '.'));
  }
}

TEST_CASE("an IP literal is a host with an address") {
  struct {
    const char* text;
    const char* canonical;
    const char* authority;
  } const rows[] = {
      {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
      {"192.0.2.1.", "192.0.2.1", "192.0.2.1"},
      {"[2001:DB8:0::1]", "2001:db8::1", "[2001:db8::1]"},
      {"[::ffff:127.0.0.1]", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]"},
      {"[::ffff:7f00:1]", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto host = Host::parse(row.text);
    REQUIRE(host.has_value());
    REQUIRE(host->is_address());
    CHECK(host->text() == row.canonical);
    CHECK(host->authority_text() == row.authority);
    CHECK(Host::from_address(*host->address()) == *host);
  }
}

TEST_CASE("whatever is accepted is canonical: it parses to itself and holds no surprise") {
  std::mt19937 random(7);
  const std::string alphabet = "aAzZ09-_..xn--[]:%@ \t/*1f\xc3\xbc";
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text;
    for (auto size = random() % 12; size > 0; --size) {
      text += alphabet[random() % alphabet.size()];
    }
    const auto host = Host::parse(text);
    if (!host) continue;
    ++accepted;
    const std::string& canonical = host->text();
    REQUIRE_FALSE(canonical.empty());
    REQUIRE(canonical.front() != '.');
    REQUIRE(canonical.back() != '.');
    REQUIRE(std::string(canonical.c_str()).size() == canonical.size());
    const auto again = Host::parse(host->authority_text());
    REQUIRE(again.has_value());
    REQUIRE(*again == *host);
  }
  CHECK(accepted > 1000);
}

TEST_CASE("an A-label stands for a name that somebody could type") {
  for (const char* good : {"xn--bcher-kva", "xn--mnchen-3ya", "xn--fiqs8s", "xn--80ak6aa92e",
                           "xn--ls8h", "xn--strae-oqa", "xn--4gbwdl", "xn--wgv71a119e"}) {
    CAPTURE(good);
    CHECK(is_valid_a_label(good));
  }
  const auto label = [](std::u32string_view text) { return "xn--" + *punycode_encode(text); };
  for (const std::u32string_view bad :
       {std::u32string_view(U"ab"), std::u32string_view(U"evil\u3002com"),
        std::u32string_view(U"a\u200b"), std::u32string_view(U"\uff41"),
        std::u32string_view(U"a\u00ad"), std::u32string_view(U"\u202eabc"),
        std::u32string_view(U"a\U000e0041"), std::u32string_view(U"a\u2024com")}) {
    CAPTURE(label(bad));
    CHECK_FALSE(is_valid_a_label(label(bad)));
  }
  CHECK_FALSE(is_valid_a_label("bcher-kva"));
  CHECK_FALSE(is_valid_a_label("xn--bcher-kv"));
}
