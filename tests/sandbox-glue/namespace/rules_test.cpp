#include "sandbox-glue/namespace/rules.h"

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
