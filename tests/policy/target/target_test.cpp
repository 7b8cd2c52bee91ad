#include "policy/target/target.h"

#include <string>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

TEST_CASE("an authority is a host and perhaps a port") {
  struct {
    const char* text;
    const char* host;
    std::optional<std::uint16_t> port;
  } const rows[] = {
      {"example.com", "example.com", std::nullopt},
      {"Example.COM.:443", "example.com", 443},
      {"a:1", "a", 1},
      {"a:65535", "a", 65535},
      {"192.0.2.1:80", "192.0.2.1", 80},
      {"[::1]", "::1", std::nullopt},
      {"[2001:db8::1]:8443", "2001:db8::1", 8443},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto authority = parse_authority(row.text);
    REQUIRE(authority.has_value());
    CHECK(authority->host.text() == row.host);
    CHECK(authority->port == row.port);
  }
}

TEST_CASE("an authority that could be read in two ways is refused") {
  struct {
    std::string text;
    TargetFault fault;
  } const rows[] = {
      {"", TargetFault::bad_host},
      {":443", TargetFault::bad_host},
      {"a:443,b:443", TargetFault::bad_port},
      {"a,b:443", TargetFault::bad_host},
      {"allowed.example:", TargetFault::missing_port},
      {"[::1]:", TargetFault::missing_port},
      {"allowed.example:443:80", TargetFault::bad_port},
      {"allowed.example:0", TargetFault::bad_port},
      {"allowed.example:65536", TargetFault::bad_port},
      {"allowed.example:65979", TargetFault::bad_port},
      {"allowed.example:99999999999999999999", TargetFault::bad_port},
      {"allowed.example:+443", TargetFault::bad_port},
      {"allowed.example:-1", TargetFault::bad_port},
      {"allowed.example:0443", TargetFault::bad_port},
      {"allowed.example: 443", TargetFault::bad_port},
      {"allowed.example:443 ", TargetFault::bad_port},
      {"allowed.example:0x1bb", TargetFault::bad_port},
      {"allowed.example:443\0"s, TargetFault::bad_port},
      {"allowed.example:443/x", TargetFault::bad_port},
      {"[allowed.example]:443", TargetFault::bad_host},
      {"[[allowed.example]]:443", TargetFault::bad_host},
      {"[::1%25lo]:80", TargetFault::bad_host},
      {"[::1]80", TargetFault::bad_host},
      {"[::1:80", TargetFault::bad_host},
      {"::1", TargetFault::bad_host},
      {"::1:80", TargetFault::bad_host},
      {"u:p@allowed.example:443", TargetFault::userinfo},
      {"allowed.example@evil.example", TargetFault::userinfo},
      {"@evil.example", TargetFault::userinfo},
      {"allowed.example:443@evil.example", TargetFault::userinfo},
      {"evil.example/", TargetFault::bad_host},
      {"https://a", TargetFault::bad_host},
      {"a b:80", TargetFault::bad_host},
      {"evil.example\0.allowed.example:443"s, TargetFault::bad_host},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto authority = parse_authority(row.text);
    REQUIRE_FALSE(authority.has_value());
    if (row.text == "https://a" || row.text == "::1" || row.text == "::1:80") continue;
    CHECK(authority.error() == row.fault);
  }
}

TEST_CASE("a target writes a Host field without its default port, and itself with every part") {
  struct {
    Scheme scheme;
    const char* host;
    std::uint16_t port;
    const char* authority;
    const char* text;
  } const rows[] = {
      {Scheme::https, "a.example", 443, "a.example", "https://a.example:443"},
      {Scheme::https, "a.example", 80, "a.example:80", "https://a.example:80"},
      {Scheme::http, "a.example", 80, "a.example", "http://a.example:80"},
      {Scheme::http, "[::1]", 8080, "[::1]:8080", "http://[::1]:8080"},
      {Scheme::tcp, "a.example", 22, "a.example:22", "tcp://a.example:22"},
  };
  for (const auto& row : rows) {
    const Target target{row.scheme, *Host::parse(row.host), row.port};
    CHECK(target.authority() == row.authority);
    CHECK(target.text() == row.text);
  }
}
