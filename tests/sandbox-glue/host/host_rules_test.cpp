#include "sandbox-glue/host/host_rules.h"

#include <doctest/doctest.h>

namespace egret {
namespace {

HostRules plain() {
  HostRules rules;
  rules.uid = 1001;
  rules.uids = {{1001, 1001}, {100000, 165535}};
  rules.port = 3129;
  return rules;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
    ++found;
  return found;
}

}  // namespace

TEST_CASE("the rules name the user's uids, the port and nothing else that varies") {
  const std::string rules = render_nft(plain());
  CHECK(count(rules, "meta skuid { 1001, 100000-165535 }") == 3);
  CHECK(has(rules, "udp dport 53 counter name redirected redirect to :3129\n"));
  CHECK(has(rules, "meta l4proto tcp counter name redirected redirect to :3129\n"));
  for (const char* name : {"TABLE", "PORT", "WHO", "LOOPBACK"})
    CHECK_FALSE(has(rules, name));
}

TEST_CASE("a packet without a socket meets no refusal: rules are entered by a match only") {
  const std::string rules = render_nft(plain());
  CHECK_FALSE(has(rules, "skuid !="));
  CHECK_FALSE(has(rules, "policy drop"));
  CHECK(has(rules, "reject with icmpx type admin-prohibited\n  }\n"));
}

TEST_CASE("what goes out by a device is dropped wherever it was redirected to") {
  CHECK(has(render_nft(plain()), "type filter hook postrouting"));
  CHECK(has(render_nft(plain()), "oifname != \"lo\" counter name refused drop\n"));
}

TEST_CASE("one transaction replaces what stood and keeps its counters") {
  const std::string rules = render_nft(plain());
  CHECK(rules.starts_with("table inet egret_host_1001\nflush table inet egret_host_1001\n"));
  CHECK(render_nft_removal(1001) ==
        "table inet egret_host_1001\ndelete table inet egret_host_1001\n");
}

TEST_CASE("loopback is closed but for the ports named, and those answer only") {
  HostRules rules = plain();
  CHECK_FALSE(has(render_nft(rules), "sport"));
  rules.loopback_ports = {{3000, 3010}, {8080, 8080}};
  const std::string text = render_nft(rules);
  CHECK(has(text, "ip daddr 127.0.0.0/8 tcp dport { 3000-3010, 8080 } return\n"));
  CHECK(has(text, "ip6 daddr ::1 tcp dport { 3000-3010, 8080 } return\n"));
  CHECK(count(text, "tcp sport { 3000-3010, 8080 } ct direction reply return\n") == 2);
}

TEST_CASE("a cgroup narrows every chain") {
  HostRules rules = plain();
  rules.cgroup = *CgroupPath::parse("/sys/fs/cgroup/agents.slice/PORT.scope/");
  CHECK(rules.cgroup->level() == 2);
  CHECK(count(render_nft(rules), "} socket cgroupv2 level 2 \"agents.slice/PORT.scope\" ") == 3);
}

TEST_CASE("a cgroup's path is checked character by character") {
  for (const char* good : {"a", "/a/b", "user.slice/app-x\\x2dy@1:2.service", "a_b+c/"})
    CHECK(CgroupPath::parse(good).has_value());
  for (const char* bad : {"", "/", "a//b", "..", "a/../b", ".", "a b", "a\"b", "a\nb", "a;b", "a$b",
                          "a{b", "\xc3\xa4"})
    CHECK_FALSE(CgroupPath::parse(bad).has_value());
  CHECK_FALSE(CgroupPath::parse(std::string(2000, 'x')).has_value());
}

TEST_CASE("ports are one or from one to another") {
  CHECK((parse_port_range("8080") == PortRange{8080, 8080}));
  CHECK((parse_port_range("3000-3010") == PortRange{3000, 3010}));
  CHECK((parse_port_range("1-65535") == PortRange{1, 65535}));
  for (const char* bad : {"", "0", "0-1", "2-1", "65536", "1-", "-1", "1-2-3", " 1", "1,2", "x"})
    CHECK_FALSE(parse_port_range(bad).has_value());
}

TEST_CASE("ranges are sorted and joined where they touch") {
  using Ranges = std::vector<UidRange>;
  CHECK(merged(Ranges{{5, 9}, {1, 1}, {2, 3}, {8, 12}, {14, 14}}) ==
        Ranges{{1, 3}, {5, 12}, {14, 14}});
  CHECK(merged(Ranges{{0, 4294967295}, {7, 7}}) == Ranges{{0, 4294967295}});
  CHECK(merged(std::vector<PortRange>{{65535, 65535}, {65534, 65534}}) ==
        std::vector<PortRange>{{65534, 65535}});
}

TEST_CASE("counts are read from what nft lists") {
  CHECK(read_nft_users("table inet filter\ntable inet egret_host_1001\ntable inet egret_host_x\n"
                       "table inet egret_host_7\n") == std::vector<std::uint32_t>{1001, 7});
  const auto counts = read_nft_counts(
      1001,
      "table inet egret_host_1001 {\n\tcounter redirected {\n\t\tpackets 5 bytes 300\n\t}\n\n"
      "\tcounter refused {\n\t\tpackets 12 bytes 1000\n\t}\n\n\tchain redirection {\n"
      "\t\tudp dport 53 counter name \"redirected\" redirect to :3129\n\t}\n}\n");
  REQUIRE(counts.has_value());
  CHECK(counts->redirected == 5);
  CHECK(counts->refused == 12);
  CHECK(counts->port == 3129);
  CHECK_FALSE(read_nft_counts(1001, "table inet egret_host_1001 {\n}\n").has_value());
}

}  // namespace egret
