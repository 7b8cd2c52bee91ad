#include "sandbox-glue/namespace/rules.h"

#include <sstream>

#include <doctest/doctest.h>

namespace egret {

TEST_CASE("rules hold the two ports and nothing else that varies") {
  const std::string rules = render_rules(40001, 40002);
  CHECK(rules.find("meta l4proto tcp redirect to :40001\n") != std::string::npos);
  CHECK(rules.find("udp dport 53 redirect to :40002\n") != std::string::npos);
  CHECK(rules.find("tcp dport 53 redirect to :40002\n") != std::string::npos);
  CHECK(rules.find("PORT") == std::string::npos);
}

TEST_CASE("rules drop by default and answer what they refuse") {
  const std::string rules = render_rules(1, 2);
  CHECK(rules.find("type filter hook output priority 0; policy drop;") != std::string::npos);
  CHECK(rules.find("counter reject with icmpx type admin-prohibited") != std::string::npos);
  CHECK(rules.find("established") == std::string::npos);
}

TEST_CASE("rules for a guest are the same rules and what its device needs besides") {
  const std::string own = render_rules(40001, 40002);
  std::istringstream lines(render_rules(40001, 40002, "tap-0.a_b"));
  std::istringstream own_lines(own);
  std::string wanted;
  std::getline(own_lines, wanted);
  int more = 0;
  for (std::string line; std::getline(lines, line);) {
    CHECK(line.find('~') == std::string::npos);
    if (line == wanted) {
      std::getline(own_lines, wanted);
    } else {
      ++more;
    }
  }
  CHECK(own_lines.eof());
  CHECK(more > 20);
  CHECK(own.find("guest") == std::string::npos);
  CHECK(own.find("prerouting") == std::string::npos);
}

TEST_CASE("a device's name in a rule is a name and nothing else") {
  for (const char* good : {"tap0", "egret0", "br-1a2b", "vm.7", "T_x", "0", "a23456789012345"}) {
    CAPTURE(good);
    CHECK(is_device_name(good));
  }
  for (const std::string& bad :
       {std::string(), std::string("a234567890123456"), std::string("a\""), std::string("a;b"),
        std::string("a b"), std::string("a\n"), std::string("$(x)"), std::string(".."),
        std::string(".a"), std::string("-a"), std::string("a/b"), std::string("tap*"),
        std::string("a\0b", 3), std::string("t\xc3\xa4p")}) {
    CAPTURE(bad);
    CHECK_FALSE(is_device_name(bad));
  }
}

TEST_CASE("the rules shown to people are the rules that are loaded") {
  std::string shown = describe_rules();
  for (const auto& [name, number] :
       {std::pair("TCP_PORT", "40001"), std::pair("DNS_PORT", "40002")}) {
    for (std::size_t at = 0; (at = shown.find(name)) != std::string::npos;) {
      shown.replace(at, 8, number);
    }
  }
  CHECK(shown == render_rules(40001, 40002));
}

}  // namespace egret
