#include "policy/decide/decide.h"

#include <algorithm>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "tests/policy/decide/rule_builder.h"

using namespace egret;
using namespace egret::test;

namespace {

Verdict decide_text(const Policy& policy, std::string_view url, std::string_view method,
                    std::string_view path_text) {
  const auto path = RequestPath::parse(path_text);
  REQUIRE_MESSAGE(path.has_value(), path_text);
  const Target to = target(url);
  return decide(policy, Ask{to, method, &*path});
}

// `rule` for a permit, else the reason's name.
std::string outcome(const Verdict& verdict) {
  const auto* denial = std::get_if<Denial>(&verdict);
  return std::string(name(denial ? denial->reason : Reason::rule));
}

std::string rule_of(const Verdict& verdict) {
  const auto* denial = std::get_if<Denial>(&verdict);
  return denial ? denial->rule : std::get<Permit>(verdict).rule();
}

// The policy that most of the tables below are about.
Policy sample() {
  std::vector<Rule> rules;
  rules.push_back(allow("api.example").methods({"GET", "POST"}).paths({"/repos/acme/**"}));
  rules.push_back(allow("open.example"));
  rules.push_back(allow("*.wild.example"));
  rules.push_back(deny("bad.wild.example"));
  rules.push_back(allow("ported.example").ports({8443, 9000}));
  rules.push_back(allow("pinned.example").tunnel());
  rules.push_back(allow("10.1.0.0/16").ports({443}));
  rules.push_back(allow("192.0.2.7"));
  rules.push_back(allow("part.example"));
  rules.push_back(deny("part.example").paths({"/admin/**", "/@evil/**"}));
  rules.push_back(deny("part.example").paths({"/exact", "/folder/"}));
  rules.push_back(deny("part.example").methods({"DELETE"}));
  rules.push_back(deny("part.example").ports({80}));
  rules.push_back(allow("odd.example").methods({"GET", "PROPFIND"}));
  return Policy(std::move(rules));
}

}  // namespace

TEST_CASE("an empty policy denies everything, and says how to allow it") {
  for (const Policy& policy : {Policy(), Policy(std::vector<Rule>{})}) {
    const Verdict verdict = decide_text(policy, "https://evil.example", "GET", "/");
    CHECK(outcome(verdict) == "host_not_allowed");
    CHECK(std::get<Denial>(verdict).rule.empty());
    CHECK(std::get<Denial>(verdict).hint ==
          "add \"- allow: evil.example\" to the sandbox's rules in egret.yaml, or run with "
          "--allow evil.example");
  }
}

TEST_CASE("every request gets the verdict of the rule that speaks of it") {
  struct {
    const char* url;
    const char* method;
    const char* path;
    const char* outcome;
    const char* rule;
  } const rows[] = {
      {"https://api.example", "GET", "/repos/acme/x", "rule", "allow api.example"},
      {"https://api.example", "HEAD", "/repos/acme/x?y", "rule", "allow api.example"},
      {"https://API.example.", "GET", "/repos/acme", "rule", "allow api.example"},
      {"http://api.example", "GET", "/repos/acme", "rule", "allow api.example"},
      {"https://api.example", "DELETE", "/repos/acme/x", "method_not_allowed", "allow api.example"},
      {"https://api.example", "get", "/repos/acme/x", "method_not_allowed", "allow api.example"},
      {"https://api.example", "GET", "/repos/evil/x", "path_not_allowed", "allow api.example"},
      {"https://api.example", "GET", "/repos/acmex", "path_not_allowed", "allow api.example"},
      {"https://api.example", "GET", "/?x=/repos/acme/", "path_not_allowed", "allow api.example"},
      {"https://api.example", "GET", "/repos/acme/../evil", "path_noncanonical",
       "allow api.example"},
      {"https://api.example", "GET", "/repos/acme/%2e%2e/evil", "path_noncanonical",
       "allow api.example"},
      {"https://api.example", "OPTIONS", "*", "method_not_allowed", "allow api.example"},
      {"https://api.example:8443", "GET", "/repos/acme/x", "port_not_allowed", "allow api.example"},
      {"https://api.example:80", "GET", "/repos/acme/x", "scheme_not_allowed", "allow api.example"},
      {"http://api.example:443", "GET", "/repos/acme/x", "scheme_not_allowed", "allow api.example"},
      {"http://api.example:6379", "GET", "/", "port_not_allowed", "allow api.example"},
      {"tcp://api.example:443", "GET", "/repos/acme/x", "scheme_not_allowed", "allow api.example"},
      {"https://sub.api.example", "GET", "/repos/acme/x", "host_not_allowed", ""},
      {"https://notapi.example", "GET", "/repos/acme/x", "host_not_allowed", ""},
      {"https://open.example", "DELETE", "/a/../b//c", "rule", "allow open.example"},
      {"https://open.example", "OPTIONS", "*", "rule", "allow open.example"},
      {"https://open.example", "PROPFIND", "/", "method_not_allowed", "allow open.example"},
      {"https://open.example", "PRI", "*", "method_not_allowed", "allow open.example"},
      {"https://open.example", "", "/", "method_not_allowed", "allow open.example"},
      {"https://odd.example", "PROPFIND", "/", "rule", "allow odd.example"},
      {"https://odd.example", "POST", "/", "method_not_allowed", "allow odd.example"},
      {"https://a.b.wild.example", "GET", "/", "rule", "allow *.wild.example"},
      {"https://wild.example", "GET", "/", "host_not_allowed", ""},
      {"https://bad.wild.example", "GET", "/", "host_not_allowed", "deny bad.wild.example"},
      {"https://bad.wild.example:8443", "GET", "/", "host_not_allowed", "deny bad.wild.example"},
      {"https://x.bad.wild.example", "GET", "/", "rule", "allow *.wild.example"},
      {"https://ported.example:8443", "GET", "/", "rule", "allow ported.example"},
      {"http://ported.example:9000", "GET", "/", "rule", "allow ported.example"},
      {"https://ported.example", "GET", "/", "port_not_allowed", "allow ported.example"},
      {"https://pinned.example", "GET", "/", "protocol_denied", "allow pinned.example"},
      {"https://10.1.2.3", "GET", "/", "rule", "allow 10.1.0.0/16"},
      {"https://[::ffff:10.1.2.3]", "GET", "/", "rule", "allow 10.1.0.0/16"},
      {"http://10.1.2.3", "GET", "/", "port_not_allowed", "allow 10.1.0.0/16"},
      {"https://10.2.0.0", "GET", "/", "host_ip_literal", ""},
      {"https://192.0.2.7", "GET", "/", "rule", "allow 192.0.2.7"},
      {"https://192.0.2.8", "GET", "/", "host_ip_literal", ""},
      {"https://[2001:db8::1]", "GET", "/", "host_ip_literal", ""},
      {"https://part.example", "GET", "/", "rule", "allow part.example"},
      {"https://part.example", "GET", "/admin", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/admin/x", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/administrator", "rule", "allow part.example"},
      {"https://part.example", "GET", "/x/../admin", "path_noncanonical", "deny part.example"},
      {"https://part.example", "GET", "/%61dmin", "path_noncanonical", "deny part.example"},
      // What an origin may read as the denied path is denied.
      {"https://part.example", "GET", "/ADMIN/x", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/admin;x=1/y", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/%40evil/x", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/%40Evil%3bx/y", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/exact/", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/exact%3b/", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/exact/?x", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/folder", "path_not_allowed", "deny part.example"},
      {"https://part.example", "GET", "/exactly/", "rule", "allow part.example"},
      {"https://part.example", "DELETE", "/", "method_not_allowed", "deny part.example"},
      {"https://part.example", "delete", "/", "method_not_allowed", "deny part.example"},
      {"http://part.example", "GET", "/", "port_not_allowed", "deny part.example"},
  };
  const Policy policy = sample();
  for (const auto& row : rows) {
    CAPTURE(row.url);
    CAPTURE(row.method);
    CAPTURE(row.path);
    const Verdict verdict = decide_text(policy, row.url, row.method, row.path);
    CHECK(outcome(verdict) == row.outcome);
    CHECK(rule_of(verdict) == row.rule);
    if (const auto* denial = std::get_if<Denial>(&verdict)) CHECK_FALSE(denial->hint.empty());
  }
}

TEST_CASE("TRACE, TRACK and CONNECT are never permitted, not even by a rule that lists them") {
  std::vector<Rule> rules;
  rules.push_back(allow("a.example").methods({"TRACE", "TRACK", "CONNECT", "trace", "GET"}));
  const Policy policy(std::move(rules));
  for (const char* method : {"TRACE", "TRACK", "CONNECT", "trace", "Connect"}) {
    CAPTURE(method);
    CHECK(outcome(decide_text(policy, "https://a.example", method, "/")) == "method_not_allowed");
  }
  CHECK(outcome(decide_text(policy, "https://a.example", "GET", "/")) == "rule");
}

TEST_CASE("a path that is not known yet is permitted only where no rule looks at paths") {
  const Policy policy = sample();
  const auto ask = [&](const char* url) {
    const Target to = target(url);
    return outcome(decide(policy, Ask{to, "GET", nullptr}));
  };
  CHECK(ask("https://open.example") == "rule");
  CHECK(ask("https://api.example") == "path_not_allowed");
  CHECK(ask("https://part.example") == "path_not_allowed");
}

TEST_CASE("a deny rule beats every allow rule, however specific") {
  std::vector<Rule> rules;
  rules.push_back(deny("*.example").at("broad"));
  rules.push_back(allow("a.example").paths({"/x"}));
  rules.push_back(allow("a.example").ports({443}).methods({"GET"}));
  const Policy policy(std::move(rules));
  const Verdict verdict = decide_text(policy, "https://a.example", "GET", "/x");
  CHECK(outcome(verdict) == "host_not_allowed");
  CHECK(rule_of(verdict) == "broad");
  CHECK(std::get<Denial>(verdict).hint == "remove or narrow the deny rule at broad");
}

TEST_CASE("IPv4 written as IPv6 does not get around a rule") {
  std::vector<Rule> rules;
  rules.push_back(allow("::ffff:0:0:0/96").at("other"));
  rules.push_back(allow("192.0.0.0/8"));
  rules.push_back(deny("192.0.2.9"));
  rules.push_back(deny("192.0.3.0/24"));
  const Policy policy(std::move(rules));
  for (const char* url :
       {"https://192.0.2.9", "https://[::ffff:192.0.2.9]", "https://[::ffff:c000:209]",
        "https://[::192.0.2.9]", "https://[::ffff:192.0.3.1]"}) {
    CAPTURE(url);
    CHECK(outcome(decide_text(policy, url, "GET", "/")) == "host_not_allowed");
  }
  CHECK(outcome(decide_text(policy, "https://[::ffff:192.0.2.8]", "GET", "/")) == "rule");
}

TEST_CASE("the bare wildcard opens no name that means a place near the gate") {
  std::vector<Rule> rules;
  rules.push_back(allow("*"));
  rules.push_back(allow("named.internal"));
  const Policy policy(std::move(rules));
  for (const char* url : {"http://localhost", "http://x.localhost", "http://metadata",
                          "http://metadata.google.internal", "http://printer.local",
                          "http://1.0.0.127.in-addr.arpa"}) {
    CAPTURE(url);
    CHECK(outcome(decide_text(policy, url, "GET", "/")) == "host_not_allowed");
  }
  CHECK(outcome(decide_text(policy, "https://a.example", "GET", "/")) == "rule");
  CHECK(outcome(decide_text(policy, "https://named.internal", "GET", "/")) == "rule");
  CHECK(outcome(decide_text(policy, "https://192.0.2.1", "GET", "/")) == "host_ip_literal");

  std::vector<Rule> closed;
  closed.push_back(allow("localhost"));
  closed.push_back(deny("*"));
  CHECK(outcome(decide_text(Policy(std::move(closed)), "http://localhost", "GET", "/")) ==
        "host_not_allowed");
}

TEST_CASE("a permit names its rule, and whether it names the address itself") {
  const Policy policy = sample();
  const auto permit = [&](const char* url) {
    const Verdict verdict = decide_text(policy, url, "GET", "/");
    REQUIRE(std::holds_alternative<Permit>(verdict));
    return std::get<Permit>(verdict);
  };
  CHECK(permit("https://10.1.2.3").address_named());
  CHECK(permit("https://192.0.2.7").address_named());
  CHECK_FALSE(permit("https://open.example").address_named());
  CHECK_FALSE(permit("https://open.example").tunnel());
  CHECK(permit("https://open.example").target() == target("https://open.example"));
}

TEST_CASE("a tunnel needs a rule that says so, and no deny rule that could mean it") {
  std::vector<Rule> rules;
  rules.push_back(allow("pinned.example").tunnel());
  rules.push_back(allow("ssh.example").tunnel().ports({22}));
  rules.push_back(allow("open.example"));
  rules.push_back(allow("both.example").tunnel());
  rules.push_back(deny("both.example").paths({"/x"}));
  rules.push_back(allow("absurd.example").tunnel().paths({"/x"}));
  const Policy policy(std::move(rules));
  struct {
    const char* url;
    const char* outcome;
  } const rows[] = {
      {"tcp://pinned.example:443", "rule"},
      {"https://pinned.example", "rule"},
      {"tcp://pinned.example:80", "rule"},
      {"tcp://pinned.example:22", "port_not_allowed"},
      {"tcp://ssh.example:22", "rule"},
      {"tcp://ssh.example:443", "port_not_allowed"},
      {"https://open.example", "protocol_denied"},
      {"tcp://both.example:443", "path_not_allowed"},
      {"tcp://absurd.example:443", "protocol_denied"},
      {"tcp://evil.example:443", "host_not_allowed"},
      {"tcp://192.0.2.1:443", "host_ip_literal"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.url);
    const Verdict verdict = decide_tunnel(policy, target(row.url));
    const std::string got = outcome(verdict);
    // A deny rule that is narrower than a tunnel is named for what it is.
    if (std::string(row.outcome) == "path_not_allowed") {
      CHECK(std::holds_alternative<Denial>(verdict));
      CHECK(rule_of(verdict) == "deny both.example");
    } else {
      CHECK(got == row.outcome);
    }
    if (got == "rule") CHECK(std::get<Permit>(verdict).tunnel());
  }
  // On another port the tunnel's rule is not what stands in the way.
  CHECK(refuse_early(policy, target("https://ssh.example:2222"))->reason ==
        Reason::port_not_allowed);
  CHECK(refuse_early(policy, target("https://pinned.example:2222"))->reason ==
        Reason::protocol_denied);
}

TEST_CASE("a target is refused early only where nothing could be permitted") {
  const Policy policy = sample();
  struct {
    const char* url;
    const char* outcome;
  } const rows[] = {
      {"https://api.example", "rule"},
      {"https://open.example", "rule"},
      {"https://part.example", "rule"},
      {"http://part.example", "port_not_allowed"},
      {"https://pinned.example", "rule"},
      {"tcp://pinned.example:443", "rule"},
      {"https://bad.wild.example", "host_not_allowed"},
      {"https://evil.example", "host_not_allowed"},
      {"https://api.example:22", "port_not_allowed"},
      {"https://8.8.8.8", "host_ip_literal"},
      {"https://10.1.0.1", "rule"},
      {"tcp://open.example:443", "scheme_not_allowed"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.url);
    const auto denial = refuse_early(policy, target(row.url));
    CHECK(std::string(name(denial ? denial->reason : Reason::rule)) == row.outcome);
  }
}

TEST_CASE("verdicts do not depend on the order of rules, nor do early refusals hide a permit") {
  std::mt19937 random(19);
  const char* const hosts[] = {"a.example",   "b.example", "*.example",
                               "*.b.example", "*",         "x.b.example"};
  const char* const paths[] = {"/a", "/a/**", "/**", "/b/*"};
  int permits = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<Rule> rules;
    for (auto count = 1 + random() % 6; count > 0; --count) {
      RuleBuilder rule = random() % 3 == 0 ? deny(hosts[random() % 6]) : allow(hosts[random() % 6]);
      if (random() % 3 == 0) rule.ports({443});
      if (random() % 3 == 0) rule.methods({random() % 2 == 0 ? "GET" : "POST"});
      if (random() % 2 == 0) rule.paths({paths[random() % 4]});
      if (rule.rule.effect == Effect::allow && random() % 6 == 0) {
        rule = allow(hosts[random() % 6]).tunnel();
      }
      rules.push_back(rule.at("r" + std::to_string(count)));
    }
    const Policy policy(rules);
    std::vector<Rule> shuffled = rules;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    const Policy other(std::move(shuffled));
    for (const char* url : {"https://a.example", "https://x.b.example", "http://b.example"}) {
      const Target to = target(url);
      bool any = std::holds_alternative<Permit>(decide_tunnel(policy, to));
      CHECK(rule_of(decide_tunnel(policy, to)) == rule_of(decide_tunnel(other, to)));
      for (const char* method : {"GET", "POST"}) {
        for (const char* path : {"/a", "/a/c", "/b/x", "/a/../b"}) {
          const Verdict first = decide_text(policy, url, method, path);
          const Verdict second = decide_text(other, url, method, path);
          REQUIRE(outcome(first) == outcome(second));
          REQUIRE(rule_of(first) == rule_of(second));
          if (const auto* denial = std::get_if<Denial>(&first)) {
            REQUIRE(denial->hint == std::get<Denial>(second).hint);
          } else {
            any = true;
            ++permits;
          }
        }
      }
      const auto early = refuse_early(policy, to);
      if (any) REQUIRE_FALSE(early);
      const auto early_other = refuse_early(other, to);
      REQUIRE(early.has_value() == early_other.has_value());
      if (early) REQUIRE(early->reason == early_other->reason);
    }
  }
  CHECK(permits > 1000);
}

TEST_CASE("adding a deny rule never opens, and adding an allow rule never closes") {
  std::mt19937 random(23);
  const char* const hosts[] = {"a.example", "*.example", "*", "b.example"};
  for (int round = 0; round < 2000; ++round) {
    std::vector<Rule> rules;
    for (auto count = random() % 4; count > 0; --count) {
      rules.push_back(random() % 2 == 0 ? deny(hosts[random() % 4]).methods({"POST"})
                                        : allow(hosts[random() % 4]).paths({"/a"}));
    }
    std::vector<Rule> more_denied = rules;
    more_denied.push_back(deny(hosts[random() % 4]).paths({"/a"}));
    std::vector<Rule> more_allowed = rules;
    more_allowed.push_back(allow(hosts[random() % 4]));
    const Policy base(rules);
    const Policy denied(std::move(more_denied));
    const Policy allowed(std::move(more_allowed));
    for (const char* url : {"https://a.example", "https://c.example"}) {
      for (const char* path : {"/a", "/b"}) {
        const bool now = outcome(decide_text(base, url, "GET", path)) == "rule";
        if (!now) REQUIRE(outcome(decide_text(denied, url, "GET", path)) != "rule");
        if (now) REQUIRE(outcome(decide_text(allowed, url, "GET", path)) == "rule");
      }
    }
  }
}

TEST_CASE("a hint says what to write and repeats no byte of the request") {
  const Policy policy = sample();
  const auto hint = [&](const char* url, const char* method, const char* path) {
    return std::get<Denial>(decide_text(policy, url, method, path)).hint;
  };
  CHECK(hint("https://api.example:8443", "GET", "/") ==
        "list 8443 under \"ports:\" of the rule at allow api.example");
  CHECK(hint("https://api.example", "DELETE", "/") ==
        "list DELETE under \"methods:\" of the rule at allow api.example");
  CHECK(hint("https://api.example", "EVIL-BYTES", "/") ==
        "list the method under \"methods:\" of the rule at allow api.example");
  CHECK(hint("https://api.example", "GET", "/secret-path").find("secret-path") ==
        std::string::npos);
  CHECK(hint("https://[2001:db8::1]", "GET", "/").find("\"- allow: '2001:db8::1'\"") !=
        std::string::npos);
}
