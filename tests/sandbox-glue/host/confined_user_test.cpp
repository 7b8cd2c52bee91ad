#include "sandbox-glue/host/confined_user.h"

#include <doctest/doctest.h>

namespace egret {

using Ranges = std::vector<UidRange>;

TEST_CASE("subordinate uids are those of the user's name and number") {
  CHECK(subordinate_uids("other:1:5\nagent:100000:65536\n1001:300000:2\n", "agent", 1001) ==
        Ranges{{100000, 165535}, {300000, 300001}});
  CHECK(subordinate_uids("agent:10:5", "agent", 1001) == Ranges{{10, 14}});
}

TEST_CASE("lines that are none are passed over") {
  for (const char* text : {"", "agent", "agent:", "agent:1", "agent:x:5", "agent:1:x", "agent:1:0",
                           "agent:-1:5", "agent :1:5", "agent:1:5:6", "agent2:1:5", "#agent:1:5"}) {
    CHECK(subordinate_uids(text, "agent", 1001).empty());
  }
}

TEST_CASE("a range ends where uids end") {
  CHECK(subordinate_uids("agent:4294967290:100", "agent", 1001) ==
        Ranges{{4294967290, 4294967294}});
  CHECK(subordinate_uids("agent:4294967295:1", "agent", 1001).empty());
}

TEST_CASE("a user is named or numbered, and is not root") {
  CHECK(find_confined_user("54321")->uid == 54321);
  for (const char* bad : {"root", "0", "no such user", "4294967295", "-5", "", "1001 "})
    CHECK_FALSE(find_confined_user(bad).has_value());
}

TEST_CASE("ranges contain their ends") {
  const Ranges uids{{5, 9}, {20, 20}};
  for (const uid_t in : {5U, 9U, 20U})
    CHECK(contains(uids, in));
  for (const uid_t out : {4U, 10U, 19U, 21U})
    CHECK_FALSE(contains(uids, out));
}

}  // namespace egret
