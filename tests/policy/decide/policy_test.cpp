#include "policy/decide/policy.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "tests/policy/decide/rule_builder.h"

using namespace egret;
using namespace egret::test;

namespace {

std::multiset<std::string> sources_for(const Policy& policy, const Host& host) {
  std::multiset<std::string> sources;
  policy.for_each_match(host, [&](const Rule& rule) { sources.insert(rule.source); });
  return sources;
}

}  // namespace

TEST_CASE("no rules match nothing") {
  CHECK(sources_for(Policy(), host("a.example")).empty());
  CHECK(Policy().rules().empty());
  CHECK(sources_for(Policy(std::vector<Rule>{}), host("a.example")).empty());
}

TEST_CASE("a policy that was moved away denies like one without rules") {
  Policy from(std::vector<Rule>{allow("a.example")});
  const Policy to = std::move(from);
  CHECK(sources_for(to, host("a.example")).size() == 1);
  CHECK(sources_for(from, host("a.example")).empty());  // NOLINT: the state after a move is tested
  CHECK(from.rules().empty());
}

TEST_CASE("the index finds exactly the rules whose pattern matches") {
  std::vector<Rule> rules;
  const char* const patterns[] = {
      "a.example",  "*.example",    "*.a.example", "*.b.a.example", "example",      "*",
      "192.0.2.1",  "192.0.2.0/24", "2001:db8::1", "2001:db8::/32", "b.a.example",  "xa.example",
      "10.0.0.0/8", "*.xa.example", "com",         "*.com",         "c.b.a.example"};
  for (int copy = 0; copy < 3; ++copy) {
    for (const char* text : patterns) {
      rules.push_back(allow(text).at(std::string(text) + "#" + std::to_string(copy)));
    }
  }
  const Policy policy(std::move(rules));
  CHECK(policy.rules().size() == 3 * std::size(patterns));
  for (const char* text :
       {"a.example", "b.a.example", "c.b.a.example", "d.c.b.a.example", "example", "xa.example",
        "x.xa.example", "com", "evil.com", "other.test", "192.0.2.1", "192.0.2.2", "10.9.8.7",
        "[2001:db8::1]", "[2001:db8::2]", "[::ffff:192.0.2.1]", "[::ffff:10.0.0.1]", "8.8.8.8"}) {
    CAPTURE(text);
    const Host at = host(text);
    std::multiset<std::string> expected;
    for (const Rule& rule : policy.rules()) {
      if (rule.host.matches(at)) expected.insert(rule.source);
    }
    CHECK(sources_for(policy, at) == expected);
  }
}

TEST_CASE("a hundred thousand rules cost a lookup no more than a few") {
  std::vector<Rule> rules;
  for (int i = 0; i < 50000; ++i) {
    rules.push_back(allow("h" + std::to_string(i) + ".example"));
    rules.push_back(allow("*.w" + std::to_string(i) + ".example"));
  }
  const Policy policy(std::move(rules));
  const Host last = host("a.b.c.w49999.example");
  const Host none = host("a.b.c.d.e.f.unknown.example");
  std::size_t found = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10000; ++i) {
    policy.for_each_match(last, [&](const Rule&) { ++found; });
    policy.for_each_match(none, [&](const Rule&) { ++found; });
  }
  // Looking at every rule would take minutes, in any build.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK(found == 10000);
}
