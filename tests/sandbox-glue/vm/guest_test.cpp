// What goes to the guest, and what comes back from it.
#include <array>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/vm/guest_facts.h"
#include "sandbox-glue/vm/reported_status.h"
#include "sandbox-glue/vm/router_advertisement.h"
#include "sandbox-glue/vm/vm_sandbox.h"
#include "tests/sandbox-glue/support/gate_process.h"

namespace egret {
namespace {

std::string fact(const std::vector<GuestFact>& facts, const std::string& name) {
  for (const GuestFact& one : facts) {
    if (one.name == "opt/egret/" + name) return one.content;
  }
  return "(not there)";
}

std::optional<int> reported(const std::vector<std::string>& writes) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  ReportedStatus status(out);
  for (const std::string& bytes : writes) {
    REQUIRE(::write(in.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    status.read();
  }
  return status.value();
}

}  // namespace

TEST_CASE("facts carry the command and the variables so that a shell reads them as they are") {
  SandboxRequest request;
  request.command = {"sh", "-c", "echo 'it''s'; $HOME \"x\" \\ \n`id`"};
  request.environment = {{"TOKEN", "a'b$(c)"}, {"EMPTY", ""}};
  request.files = {{"/run/egret/ca-bundle.pem", "PEM"}, {"/etc/ssl/cert.pem", "PEM"}};
  const auto facts = guest_facts(request);
  CHECK(fact(facts, "command") ==
        "'sh' '-c' 'echo '\\''it'\\'''\\''s'\\''; $HOME \"x\" \\ \n`id`' \n");
  CHECK(fact(facts, "environment") == "export TOKEN='a'\\''b$(c)'\nexport EMPTY=''\n");
  CHECK(fact(facts, "file/ca-bundle.pem") == "PEM");
  CHECK(fact(facts, "file/cert.pem") == "(not there)");
  CHECK(fact(facts, "setup").find("opt/egret/setup/raw") != std::string::npos);
  CHECK(fact(facts, "network").find("egret_gateway4=10.107.0.1\n") != std::string::npos);
  CHECK(fact(guest_facts({}), "command") == "(not there)");
}

TEST_CASE("the last line that the guest writes is its command's exit status") {
  const struct {
    std::vector<std::string> writes;
    std::optional<int> status;
  } cases[] = {
      {{}, {}},
      {{"0\n"}, 0},
      {{"7\r\n"}, 7},
      {{"255\n"}, 255},
      {{"1", "2", "\n"}, 12},
      {{"3\n4\n"}, 4},
      {{std::string(5000, 'x') + "\n", "9\n"}, 9},
      {{"12"}, {}},
      {{"256\n"}, {}},
      {{"-1\n"}, {}},
      {{"0x1\n"}, {}},
      {{" 1\n"}, {}},
      {{"7 \n"}, {}},
      {{"\n\n"}, {}},
      {{"7\n", "oops\n"}, {}},
      {{std::string(100, '1') + "\n"}, {}},
  };
  for (const auto& one : cases) {
    CAPTURE(one.writes.size());
    CHECK(reported(one.writes) == one.status);
  }
}

TEST_CASE("a router advertisement names the network, and the gateway as the resolver") {
  in6_addr gateway{};
  gateway.s6_addr[0] = 0xfd;
  gateway.s6_addr[15] = 0x01;
  const std::string message = router_advertisement(gateway);
  REQUIRE(message.size() == 16 + 32 + 24);
  CHECK(message.substr(0, 2) == std::string("\x86\x00", 2));
  CHECK(message.substr(16, 4) == "\x03\x04\x40\xc0");
  CHECK(message.substr(32, 16) == std::string("\xfd", 1) + std::string(15, '\0'));
  CHECK(message.substr(48, 2) == "\x19\x03");
  CHECK(message.substr(56) == std::string("\xfd", 1) + std::string(14, '\0') + "\x01");
}

TEST_CASE("a machine that cannot be meant is refused before anything starts") {
  const test::Folder folder;
  const std::string file = folder.write("vmlinuz", "x");
  const struct {
    const char* says;
    Machine machine;
  } cases[] = {
      {"--kernel or --disk", {}},
      {"--kernel /nowhere: ", {"/nowhere", {}, {}, {}}},
      {"not a file", {folder.path(), {}, {}, {}}},
      {"for a --kernel", {{}, {}, file, "quiet"}},
      {"--memory", {file, {}, {}, {}, 63}},
      {"--cpus", {file, {}, {}, {}, 64, 0}},
  };
  for (const auto& one : cases) {
    Machine machine = one.machine;
    const auto checked = check_machine(machine);
    REQUIRE_FALSE(checked.has_value());
    CHECK_MESSAGE(checked.error().what.find(one.says) != std::string::npos, checked.error().what);
  }
}

TEST_CASE("a description shows QEMU's words, its file system and the rules for its device") {
  const test::Folder folder;
  Machine machine;
  machine.kernel = folder.write("vmlinuz", "x");
  machine.disk = folder.write("root.qcow2", "x");
  const std::string raw = [&] {
    Machine other = machine;
    other.disk = folder.write("qcow2.raw", "x");
    other.kvm = false;
    return describe_vm(other, {});
  }();
  const std::string text = describe_vm(machine, {});
  for (const char* part : {"iifname != \"egret0\" accept", "spawn=deny", "accel=kvm:tcg",
                           "format=qcow2", "--cap-drop ALL", "--remount-ro /"}) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, part);
  }
  CHECK(raw.find("format=raw") != std::string::npos);
  CHECK(raw.find("accel=tcg") != std::string::npos);
  CHECK(raw.find("/dev/kvm") == std::string::npos);
}

}  // namespace egret
