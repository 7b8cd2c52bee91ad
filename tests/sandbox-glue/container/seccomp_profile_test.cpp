// What is left of podman's seccomp profile.
#include "sandbox-glue/container/seccomp_profile.h"

#include <set>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace egret::test {
namespace {

using Json = nlohmann::json;

constexpr const char* profile = R"({
  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
  "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
  "syscalls": [
    {"names": ["read", "socket", "keyctl"], "action": "SCMP_ACT_ALLOW", "args": []},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": null},
    {"names": ["socketcall", "io_uring_setup"], "action": "SCMP_ACT_ALLOW", "args": []}
  ]})";

}  // namespace

TEST_CASE("sockets of four families are allowed, and of no other") {
  const auto text = tighten_profile(profile);
  REQUIRE(text.has_value());
  const Json made = Json::parse(*text);
  std::set<int> allowed;
  std::set<int> refused;
  for (const Json& rule : made["syscalls"]) {
    if (rule["names"] != Json::array({"socket"})) continue;
    const int family = rule["args"][0]["value"];
    REQUIRE(rule["args"][0]["index"] == 0);
    if (rule["action"] == "SCMP_ACT_ALLOW") {
      CHECK(rule["args"][0]["op"] == "SCMP_CMP_EQ");
      allowed.insert(family);
    } else {
      CHECK(rule["errnoRet"] == 97);  // EAFNOSUPPORT
      refused.insert(family);
    }
  }
  CHECK(allowed == std::set<int>{1, 2, 10, 16});
  for (const int family : {0, 17, 21, 29, 30, 31, 38, 40, 42, 44})
    CHECK(refused.count(family) == 1);
}

TEST_CASE("older ABIs, keyrings and io_uring are taken away, the rest stays") {
  const auto text = tighten_profile(profile);
  REQUIRE(text.has_value());
  const Json made = Json::parse(*text);
  CHECK(made["archMap"][0]["subArchitectures"].empty());
  CHECK(made["defaultErrnoRet"] == 38);
  CHECK(made["syscalls"][0]["names"] == Json::array({"read"}));
  for (const char* gone : {"keyctl", "socketcall", "io_uring_setup"}) {
    CAPTURE(gone);
    CHECK(text->find(gone) == std::string::npos);
  }
}

TEST_CASE("a profile that is none is refused") {
  for (const char* text : {"", "[]", "{}", R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]})",
                           R"({"defaultAction":"SCMP_ACT_ERRNO"})",
                           R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":1})",
                           R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[1]})"}) {
    CAPTURE(text);
    CHECK(tighten_profile(text).has_error());
  }
}

}  // namespace egret::test
