#include "sandbox-glue/namespace/guard.h"

#include <cstdlib>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/namespace/tool.h"
#include "sandbox-glue/process/user_namespace.h"
#include "tests/sandbox-glue/support/gate_process.h"

namespace egret {
namespace {

enum class With { Nobody, Guest };

bool guest_possible() {
  if (!test::sandbox_possible()) return false;
  if (::access("/dev/net/tun", R_OK | W_OK) == 0) return true;
  if (std::getenv("CI") != nullptr) {
    FAIL("no tap device can be made here: /dev/net/tun cannot be opened");
  }
  MESSAGE("SKIPPED, no tap device can be made here");
  return false;
}

Result<NamespaceSockets, SetupFault> guard(const std::string& nft_path, With with) {
  if (with == With::Nobody) return guard_namespace(nft_path);
  const auto device = open_guest_device("guest0");
  if (!device) return device.error();
  return guard_namespace(nft_path, &*device);
}

// guard_namespace() in a namespace of its own, made by a child that ends with the answer.
Result<NamespaceSockets, SetupFault> guard_with(const std::string& nft_path,
                                                With with = With::Nobody) {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  const uid_t uid = ::geteuid();  // before the fork: inside, they are not mapped yet
  const gid_t gid = ::getegid();
  const auto child = fork_into_namespaces();
  REQUIRE(child.has_value());
  if (*child == 0) {
    auto entered = map_ids(uid, gid);
    if (!entered) {
      send_fault(pair->theirs, entered.error());
      ::_exit(1);
    }
    auto sockets = guard(nft_path, with);
    if (!sockets) {
      send_fault(pair->theirs, sockets.error());
    } else {
      (void)send_sockets(pair->theirs, *sockets);
    }
    ::_exit(0);
  }
  pair->theirs.reset();
  auto answer = receive_sockets(pair->ours);
  int status = 0;
  ::waitpid(*child, &status, 0);
  return answer;
}

}  // namespace

TEST_CASE("a namespace is guarded when its rules are loaded and hold") {
  if (!test::sandbox_possible()) return;
  const auto nft = find_tool("nft", "nftables");
  REQUIRE(nft.has_value());
  auto sockets = guard_with(*nft);
  REQUIRE(sockets.has_value());
  CHECK(static_cast<bool>(sockets->tcp4));
}

TEST_CASE("nothing is handed over when the rules are not all there") {
  if (!test::sandbox_possible()) return;
  const auto nft = find_tool("nft", "nftables");
  REQUIRE(nft.has_value());
  const struct {
    const char* what;
    std::string script;
    const char* says;
  } cases[] = {
      {"a tool that does nothing", "exit 0", "do not hold"},
      {"a tool that fails", "echo no such table >&2; exit 1", "no such table"},
      {"a tool that is killed", "kill -9 $$", "cannot load"},
      {"no wall", "/usr/bin/sed '/chain wall/,/^  }/d' | " + *nft + " -f -", "datagrams"},
      {"no capture", "/usr/bin/sed '/chain capture/,/^  }/d' | " + *nft + " -f -", "not captured"},
      {"no DNS", "/usr/bin/sed '/dport 53/d' | " + *nft + " -f -", "DNS"},
      {"no DNS over TCP", "/usr/bin/sed '/tcp dport 53/d' | " + *nft + " -f -", "DNS over TCP"},
      {"no refusal", "/usr/bin/sed 's/counter reject.*/accept/' | " + *nft + " -f -", "datagrams"},
      {"IPv4 only",
       "/usr/bin/sed 's/table inet/table ip/;/ip6/d;s/icmpx type/icmp type/' | " + *nft + " -f -",
       "IPv6"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const test::Folder folder;
    const std::string fake = folder.write("nft", "#!/bin/sh\n" + one.script + "\n");
    std::filesystem::permissions(fake, std::filesystem::perms(0755));
    auto sockets = guard_with(fake);
    REQUIRE_FALSE(sockets.has_value());
    CHECK_MESSAGE(sockets.error().what.find(one.says) != std::string::npos, sockets.error().what);
    CHECK_FALSE(sockets.error().remedy.empty());
  }
}

TEST_CASE("a guest's namespace is guarded when its rules are loaded and hold on its device") {
  if (!guest_possible()) return;
  const auto nft = find_tool("nft", "nftables");
  REQUIRE(nft.has_value());
  auto sockets = guard_with(*nft, With::Guest);
  REQUIRE_MESSAGE(sockets.has_value(), sockets.error().what);
  CHECK(static_cast<bool>(sockets->tcp4));
}

TEST_CASE("nothing is handed over when a rule for the guest is not there") {
  if (!guest_possible()) return;
  const auto nft = find_tool("nft", "nftables");
  REQUIRE(nft.has_value());
  const struct {
    const char* what;
    const char* edit;
    const char* says;
  } cases[] = {
      {"no wall for the guest", "/chain guest_wall/,/^  }/d", "datagrams are not refused"},
      {"no refusal", "/chain guest_wall/,/^  }/s/counter reject.*/accept/", "datagrams"},
      {"no capture for the guest", "/chain guest_capture/,/^  }/d", "not captured"},
      {"only DNS is captured", "/chain guest_capture/,/^  }/{/meta l4proto/d}",
       "TCP is not captured"},
      {"no DNS over UDP", "/chain guest_capture/,/^  }/{/udp dport/d}", "DNS over UDP"},
      {"no DNS over TCP", "/chain guest_capture/,/^  }/{/tcp dport/d}", "DNS over TCP"},
      {"another device", "s/guest0/guest1/", "not"},
      {"no neighbours in", "/chain guest_wall/,/^  }/{/icmpv6/d}", "IPv6 the gateway is not found"},
      {"no neighbours out", "/chain answers/,/^  }/{/icmpv6/d}", "IPv6 the gateway is not found"},
      {"no answers", "/ct direction reply/d", "DNS over UDP"},
      {"IPv4 only",
       "s/table inet/table ip/;/ip6/d;/icmpv6/d;s/, ipv6-icmp//;s/icmpx type/icmp type/", "IPv6"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const test::Folder folder;
    const std::string fake = folder.write(
        "nft", std::string("#!/bin/sh\n/usr/bin/sed '") + one.edit + "' | " + *nft + " -f -\n");
    std::filesystem::permissions(fake, std::filesystem::perms(0755));
    auto sockets = guard_with(fake, With::Guest);
    REQUIRE_FALSE(sockets.has_value());
    CHECK_MESSAGE(sockets.error().what.find(one.says) != std::string::npos, sockets.error().what);
  }
}

TEST_CASE("a missing tool is named with its package") {
  auto tool = find_tool("egret-no-such-tool", "some-package");
  REQUIRE_FALSE(tool.has_value());
  CHECK(tool.error().what == "egret-no-such-tool is not installed");
  CHECK(tool.error().remedy == "apt install some-package");
}

}  // namespace egret
