#include "sandbox-glue/container/seccomp_profile.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

namespace egret {
namespace {

using Json = nlohmann::json;

constexpr std::array<int, 4> families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
constexpr int netlink_audit = 9;
// `socketcall` is socket() of older ABIs, whose arguments no filter can see.
constexpr std::array<std::string_view, 11> taken_away = {
    "socket",          "socketcall",        "io_uring_setup",
    "io_uring_enter",  "io_uring_register", "keyctl",
    "add_key",         "request_key",       "bpf",
    "perf_event_open", "userfaultfd"};

Json argument(int index, int value, const char* comparison) {
  return {{"index", index}, {"value", value}, {"valueTwo", 0}, {"op", comparison}};
}

Json rule(std::vector<std::string> names, const char* action, Json arguments) {
  return {{"names", std::move(names)}, {"action", action}, {"args", std::move(arguments)}};
}

Json refusal(Json arguments) {
  Json refused = rule({"socket"}, "SCMP_ACT_ERRNO", std::move(arguments));
  refused["errnoRet"] = EAFNOSUPPORT;
  return refused;
}

void take_away(Json& rules) {
  for (Json& one : rules) {
    Json kept = Json::array();
    for (const Json& name : one.value("names", Json::array())) {
      const bool gone = name.is_string() && std::find(taken_away.begin(), taken_away.end(),
                                                      name.get<std::string>()) != taken_away.end();
      if (!gone) kept.push_back(name);
    }
    one["names"] = std::move(kept);
  }
  rules.erase(std::remove_if(rules.begin(), rules.end(),
                             [](const Json& one) { return one["names"].empty(); }),
              rules.end());
}

// An allow-list: a value with dirt in its high half equals none of them.
void add_families(Json& rules) {
  for (int family = 0; family < AF_MAX; ++family) {
    Json arguments = Json::array({argument(0, family, "SCMP_CMP_EQ")});
    if (std::find(families.begin(), families.end(), family) == families.end()) {
      rules.push_back(refusal(std::move(arguments)));
      continue;
    }
    if (family == AF_NETLINK) arguments.push_back(argument(2, netlink_audit, "SCMP_CMP_NE"));
    rules.push_back(rule({"socket"}, "SCMP_ACT_ALLOW", std::move(arguments)));
  }
  rules.push_back(refusal(Json::array({argument(0, AF_MAX, "SCMP_CMP_GE")})));
}

std::string read_text(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Result<std::string, SetupFault> tighten_profile(std::string_view profile) {
  Json json = Json::parse(profile, nullptr, /*allow_exceptions=*/false);
  const bool usable = json.is_object() && json.contains("syscalls") &&
                      json["syscalls"].is_array() &&
                      json.value("defaultAction", Json()) == "SCMP_ACT_ERRNO" &&
                      std::all_of(json["syscalls"].begin(), json["syscalls"].end(),
                                  [](const Json& one) { return one.is_object(); });
  if (!usable) {
    return SetupFault{"podman's seccomp profile is not one that allows what it names", {}};
  }
  take_away(json["syscalls"]);
  add_families(json["syscalls"]);
  if (json.contains("archMap") && json["archMap"].is_array()) {
    for (Json& one : json["archMap"]) {
      if (one.is_object()) one["subArchitectures"] = Json::array();
    }
  }
  json.erase("architectures");
  return {boost::system::in_place_value, json.dump()};
}

Result<std::string, SetupFault> read_podman_profile() {
  for (const char* path : {"/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"}) {
    std::string text = read_text(path);
    if (!text.empty()) return {boost::system::in_place_value, std::move(text)};
  }
  return SetupFault{"podman's seccomp profile (/usr/share/containers/seccomp.json) is not there",
                    "apt install golang-github-containers-common"};
}

}  // namespace egret
