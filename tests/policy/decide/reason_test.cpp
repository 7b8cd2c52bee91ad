#include "policy/decide/reason.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace egret;

TEST_CASE("every reason has a name of its own that leads back to it") {
  std::set<std::string> seen;
  for (int i = 0; i <= static_cast<int>(Reason::h2_abuse); ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::string text(name(reason));
    CAPTURE(text);
    CHECK(seen.insert(text).second);
    CHECK(reason_named(text) == reason);
  }
  CHECK(name(Reason::rule) == "rule");
  CHECK(name(Reason::host_not_allowed) == "host_not_allowed");
  CHECK(name(Reason::limit_connections) == "limit:connections");
  CHECK(name(Reason::limit_dns_names) == "limit:dns_names");
  CHECK(name(Reason::secret_scope) == "secret_scope");
  CHECK(name(Reason::internal) == "internal");
  CHECK(name(Reason::h2_abuse) == "h2_abuse");
  CHECK_FALSE(reason_named(""));
  CHECK_FALSE(reason_named("limit_connections"));
}
