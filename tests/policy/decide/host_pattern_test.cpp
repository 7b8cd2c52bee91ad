#include "policy/decide/host_pattern.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

HostPattern pattern(std::string_view text, Wildcards wildcards = Wildcards::any) {
  auto parsed = HostPattern::parse(text, wildcards);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return *parsed;
}

bool matches(std::string_view rule, std::string_view host) {
  const auto parsed = Host::parse(host);
  REQUIRE_MESSAGE(parsed.has_value(), host);
  return pattern(rule).matches(*parsed);
}

}  // namespace

TEST_CASE("a pattern matches whole labels only") {
  struct {
    const char* pattern;
    const char* host;
    bool match;
  } const rows[] = {
      {"example.com", "example.com", true},
      {"example.com", "EXAMPLE.com.", true},
      {"example.com", "notexample.com", false},
      {"example.com", "example.com.evil.tld", false},
      {"example.com", "a.example.com", false},
      {"example.com", "example.co", false},
      {"*.example.com", "example.com", false},
      {"*.example.com", "a.example.com", true},
      {"*.example.com", "a.b.example.com", true},
      {"*.example.com", "notexample.com", false},
      {"*.example.com", "a.notexample.com", false},
      {"*.example.com", "example.com.evil.tld", false},
      {"*", "example.com", true},
      {"*", "localhost", true},
      {"*", "192.0.2.1", false},
      {"*", "[2001:db8::1]", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.10", false},
      {"192.0.2.1", "192.0.2.1.example", false},
      {"192.0.2.1", "[::ffff:192.0.2.1]", true},
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "[::ffff:192.0.2.255]", true},
      {"192.0.2.0/24", "[::192.0.2.255]", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.0/24", "example.com", false},
      {"2001:db8::1", "[2001:db8:0::1]", true},
      {"2001:db8::/32", "[2001:db8:ffff::1]", true},
      {"2001:db8::/32", "[2001:db9::1]", false},
      {"1.example.com", "1.example.com", true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.host);
    CHECK(matches(row.pattern, row.host) == row.match);
  }
}

TEST_CASE("matching is what a reference of three lines says, for names close to each other") {
  std::mt19937 random(11);
  const auto label = [&] {
    static const char* const labels[] = {"a", "b", "ab", "com", "xcom", "a-b", "example"};
    return std::string(labels[random() % 7]);
  };
  const auto name = [&] {
    std::string text = label();
    for (auto more = random() % 4; more > 0; --more)
      text += "." + label();
    return text;
  };
  int hits = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string host = name();
    const std::string rule = name();
    const bool wildcard = random() % 2 == 0;
    const std::string tail = "." + rule;
    const bool below = host.size() > tail.size() && host.substr(host.size() - tail.size()) == tail;
    const bool expected = wildcard ? below : host == rule;
    hits += expected;
    REQUIRE(matches((wildcard ? "*." : "") + rule, host) == expected);
  }
  CHECK(hits > 500);
}

TEST_CASE("the kinds of patterns know their name and their text") {
  using Kind = HostPattern::Kind;
  struct {
    const char* text;
    Kind kind;
    const char* name;
  } const rows[] = {
      {"api.github.com", Kind::exact, "api.github.com"},
      {"*.github.com", Kind::subdomains, "github.com"},
      {"10.0.0.0/8", Kind::range, "10.0.0.0/8"},
      {"10.0.0.1", Kind::exact, "10.0.0.1"},
      {"2001:db8::1", Kind::exact, "2001:db8::1"},
      {"*", Kind::any, "*"},
      {"localhost", Kind::exact, "localhost"},
      {"xn--bcher-kva.example", Kind::exact, "xn--bcher-kva.example"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto parsed = pattern(row.text);
    CHECK(parsed.kind() == row.kind);
    CHECK(parsed.name() == row.name);
    CHECK(parsed.text() == row.text);
    CHECK(parsed == pattern(row.text));
  }
  CHECK_FALSE(pattern("a.example") == pattern("*.a.example"));
  CHECK(pattern("10.0.0.1/32").kind() == Kind::exact);
}

TEST_CASE("a wildcard over other people's names needs the word dangerous") {
  for (const char* text :
       {"*", "*.com", "*.test", "*.github.io", "*.pages.dev", "*.co.uk", "*.amazonaws.com",
        "*.s3.amazonaws.com", "*.herokuapp.com", "*.vercel.app", "*.workers.dev", "*.ngrok.io",
        "0.0.0.0/0", "8.0.0.0/7", "::/0", "2000::/3"}) {
    CAPTURE(text);
    const auto strict = HostPattern::parse(text);
    REQUIRE_FALSE(strict.has_value());
    CHECK_MESSAGE(strict.error().instead.find("dangerous_allow_wildcard") != std::string::npos,
                  strict.error().instead);
    CHECK(HostPattern::parse(text, Wildcards::any).has_value());
  }
  for (const char* text : {"*.example.com", "*.me.github.io", "*.w.test", "10.0.0.0/8", "github.io",
                           "com", "fd00::/16"}) {
    CAPTURE(text);
    CHECK(HostPattern::parse(text).has_value());
  }
}

TEST_CASE("a refused pattern says what to write instead") {
  struct {
    std::string text;
    const char* what;
    const char* instead;
  } const rows[] = {
      {"EXAMPLE.com", "upper-case", "write `example.com`"},
      {"*.Example.com", "upper-case", "write `*.example.com`"},
      {" example.com", "spaces", "write `example.com`"},
      {"example.com\t", "spaces", "write `example.com`"},
      {"https://example.com", "URL", "write `example.com`"},
      {"https://x.example/y", "URL", "write `x.example`"},
      {"HTTPS://u:p@X.example:8443/y?z#w", "URL", "write `x.example` and `ports: [8443]`"},
      {"example.com/path", "path", "write `example.com`"},
      {"example.com/", "path", "write `example.com`"},
      {"example.com:443", "port", "write `example.com` and `ports: [443]`"},
      {"[2001:db8::1]:443", "port", "write `2001:db8::1` and `ports: [443]`"},
      {"[2001:db8::1]", "brackets", "write `2001:db8::1`"},
      {"user@example.com", "user name", "write `example.com`"},
      {"example.com.", "ends with a dot", "write `example.com`"},
      {".example.com", "begins with a dot", "write `*.example.com`"},
      {"**.example.com", "`**`", "write `*.example.com`"},
      {"b\xc3\xbc"
       "cher.example",
       "outside ASCII", "write `xn--bcher-kva.example`"},
      {"B\xc3\x9c"
       "CHER.Example",
       "outside ASCII", "write `xn--bcher-kva.example`"},
      {"*.b\xc3\xbc"
       "cher.example",
       "outside ASCII", "write `*.xn--bcher-kva.example`"},
      {"\xd0\x9f\xd0\xa0.example", "outside ASCII", "write `xn--o1ac.example`"},
      {"bu\xcc\x88"
       "cher.example",
       "outside ASCII", "xn--"},
      {"evil\xe3\x80\x82"
       "com",
       "outside ASCII", "xn--"},
      {"\xff.example", "outside ASCII", "xn--"},
      {"2001:DB8::1", "upper-case", "write `2001:db8::1`"},
      {"2001:db8:0:0::1", "canonical", "write `2001:db8::1`"},
      {"::ffff:10.0.0.1", "IPv4", "write `10.0.0.1`"},
      {"::ffff:10.0.0.0/104", "IPv4", "write `10.0.0.0/8`"},
      {"10.1.2.3/8", "canonical", "write `10.0.0.0/8`"},
      {"10.0.0.0/08", "canonical", "write `10.0.0.0/8`"},
      {"", "empty", "write a host"},
      {"*.", "", "write a host"},
      {"*.*.com", "`*`", "write a host"},
      {"api*.x.com", "`*`", "write a host"},
      {"ex*mple.com", "`*`", "write a host"},
      {"**", "`*`", "write a host"},
      {"*com", "`*`", "write a host"},
      {"a.*", "`*`", "write a host"},
      {"*.10.0.0.1", "", "write a host"},
      {"10.0.0.0/33", "range", "write a host"},
      {"127.1", "IP address", "write a host"},
      {"2130706433", "IP address", "write a host"},
      {"a..b", "empty label", "write a host"},
      {"-a.example", "`-`", "write a host"},
      {"xn--a", "punycode", "write a host"},
      {"a b.example", "character", "write a host"},
      {"evil.example\0.x"s, "control", "remove"},
      {"a.example\n", "control", "remove"},
      {std::string(3000, 'a'), "too long", "write a host"},
      {std::string(300, 'a'), "too long", "write a host"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto parsed = HostPattern::parse(row.text, Wildcards::any);
    REQUIRE_FALSE(parsed.has_value());
    const PatternFault fault = parsed.error();
    CHECK_MESSAGE(fault.what.find(row.what) != std::string::npos, fault.what);
    CHECK_MESSAGE(fault.instead.find(row.instead) != std::string::npos, fault.instead);
    // Both go to a terminal, whole.
    for (const char c : fault.what + fault.instead)
      CHECK(static_cast<unsigned char>(c) >= 0x20);
    CHECK(fault.what.size() < 300);
  }
}

TEST_CASE("no text makes the pattern parser fail in any other way, and what passes is canonical") {
  std::mt19937 random(13);
  const std::string alphabet = "aA0.*/:@[]-_%x \xc3\xbc\xe3\x80\x82#?1f";
  for (int i = 0; i < 100000; ++i) {
    std::string text;
    for (auto size = random() % 14; size > 0; --size)
      text += alphabet[random() % alphabet.size()];
    const auto parsed = HostPattern::parse(text, Wildcards::any);
    if (!parsed) {
      REQUIRE_FALSE(parsed.error().what.empty());
      REQUIRE_FALSE(parsed.error().instead.empty());
      continue;
    }
    if (parsed->kind() != HostPattern::Kind::exact) REQUIRE(parsed->text() == text);
    REQUIRE(pattern(parsed->text()) == *parsed);
  }
}
