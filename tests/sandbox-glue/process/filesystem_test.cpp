// What a command finds on disk.
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "tests/sandbox-glue/support/gate_process.h"

namespace egret::test {
namespace {

Outcome shell(SandboxRequest request, const std::string& script, Caller caller = Caller::Self) {
  request.command = {"sh", "-c", script};
  return run_inside(request, {}, caller);
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("the working directory is writable, the rest of the machine is not") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    const SandboxRequest request = request_for(folder, {}, caller);
    const Outcome outcome = shell(request, R"(pwd; echo made > made
for place in / /etc /usr /usr/bin /var /var/lib /srv /opt /boot /sys /proc/sys/kernel /dev/pts; do
  ( : > $place/egret-test ) 2>/dev/null && echo "wrote in $place"
done; true)",
                                  caller);
    CHECK(outcome.out == folder.path("project") + "\n");
    CHECK(read_text(folder.path("project/made")) == "made\n");
  }
}

// Opens only: where this fails, a write would hit the machine that runs the tests. Regression:
// /proc/sys was writable for a caller that is root.
TEST_CASE("kernel settings cannot be opened for writing, not by root either") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    const Outcome outcome = run_inside(python_request(folder, R"(
import os
files = ['/proc/sysrq-trigger', '/proc/mtrr']
for tree in ('sys', 'irq', 'bus', 'fs', 'acpi', 'scsi', 'driver'):
    for folder, _, names in os.walk('/proc/' + tree): files += [folder + '/' + n for n in names]
for folder, _, names in os.walk('/sys'): files += [folder + '/' + n for n in names]
assert len(files) > 100
for file in files:
    try: os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    except OSError: continue
    print('opened', file)
)",
                                                      caller),
                                       {}, caller);
    CHECK(outcome.status == 0);
    CHECK(outcome.out.empty());
  }
}

TEST_CASE("homes are empty but for the working directory, and private to the run") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    folder.write("home/.netrc", "password");
    SandboxRequest request = request_for(folder, {}, caller);
    folder.make_directory("home/project");
    folder.give_to(caller);
    request.working_directory = folder.path("home/project");
    const Outcome outcome = shell(
        request, "ls -A ~ /home /root; echo x > ~/.cache && cat ~/.netrc ~/.cache; touch here",
        caller);
    CHECK(outcome.out == "/home:\n\n/root:\n\n" + folder.path("home") + ":\nproject\nx\n");
    CHECK(std::filesystem::exists(folder.path("home/project/here")));
    CHECK_FALSE(std::filesystem::exists(folder.path("home/.cache")));
  }
}

TEST_CASE("a home, or what holds something private, is not shown as the working directory") {
  if (!sandbox_possible()) return;
  const Folder folder;
  folder.write("home/secret", "x");
  for (const std::string& directory :
       {folder.path("home"), folder.path(), std::string("/"), std::string("/tmp"),
        std::string("/var"), std::string("/proc/self"), folder.path("missing")}) {
    CAPTURE(directory);
    SandboxRequest request = request_for(folder, {"sh", "-c", "pwd; ls -A"});
    request.working_directory = directory;
    auto sandbox = ProcessSandbox::start(request);
    REQUIRE(sandbox.has_value());
    REQUIRE_FALSE(sandbox->notes().empty());
    CHECK(sandbox->notes().front().find(directory) != std::string::npos);
    CHECK(run_inside(request).out == folder.path("home") + "\n");
  }
}

TEST_CASE("scratch folders are private, and open to the command") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = shell(request_for(folder, {}),
                                "for d in /tmp /var/tmp /dev/shm /run; do echo x > $d/egret-x && "
                                "ls $d | grep -v -e launch -e egret-glue; done");
  CHECK(outcome.out == "egret-x\negret-x\negret-x\negret-x\n");
  CHECK_FALSE(std::filesystem::exists("/tmp/egret-x"));
}

TEST_CASE("what --rw names is writable; where it would open the host it is refused") {
  if (!sandbox_possible()) return;
  const Folder folder;
  SandboxRequest request = request_for(folder, {});
  request.writable_paths = {folder.make_directory("cache")};
  folder.give_to(Caller::Self);
  shell(request, "echo y > " + folder.path("cache/y"));
  CHECK(read_text(folder.path("cache/y")) == "y\n");
  for (const std::string& bad :
       {std::string("/"), std::string("/run"), std::string("/proc"), std::string("/sys/fs"),
        std::string("/dev"), folder.path("missing")}) {
    CAPTURE(bad);
    request.writable_paths = {bad};
    const Outcome outcome = shell(request, "true");
    CHECK(outcome.status == 77);
    CHECK(outcome.err.find("fault: --rw " + bad) == 0);
  }
}

TEST_CASE("hidden files and folders cannot be seen, whatever else is shown") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    folder.make_directory("project/.egret/keys");
    folder.write("project/.egret/keys/ca.pem", "private");
    folder.write("project/token", "private");
    folder.write("project/real", "private");
    SandboxRequest request = request_for(folder, {}, caller);
    request.hidden_paths = {folder.path("project/.egret"), folder.path("project/token"),
                            folder.path("project/real"), folder.path("no/such/place")};
    const Outcome outcome = shell(request, R"(cat token real .egret/keys/ca.pem
ls -A .egret; rm -rf .egret token real; mv .egret old; mv token old; echo x > token
umount .egret token; unshare -Urm sh -c 'umount .egret; umount token; cat token .egret/keys/ca.pem'
unshare -Urm sh -c 'mkdir /tmp/m && mount --bind . /tmp/m && cat /tmp/m/token')",
                                  caller);
    CHECK(outcome.out.empty());
    CHECK(read_text(folder.path("project/token")) == "private");
    CHECK(read_text(folder.path("project/.egret/keys/ca.pem")) == "private");
  }
}

// Regression: `mv sub old; mkdir sub` put the command's own file where the next run looks.
TEST_CASE("what is hidden stays where it is: no folder above it can be moved or removed") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    folder.make_directory("project/a/b/state");
    folder.write("project/a/b/state/key", "private");
    folder.make_directory("project/c");
    folder.write("project/c/egret.yaml", "private");
    SandboxRequest request = request_for(folder, {}, caller);
    request.hidden_paths = {folder.path("project/a/b/state"), folder.path("project/c/egret.yaml")};
    const Outcome outcome = shell(request, R"(cat a/b/state/key c/egret.yaml
for d in a a/b c; do mv $d old; rm -rf $d; done
mkdir -p a/b/state c; echo forged > a/b/state/key; echo forged > c/egret.yaml
echo x > a/file && echo x > a/b/file && mv a/b/file c/file && cat c/file)",
                                  caller);
    CHECK(outcome.out == "x\n");
    CHECK(read_text(folder.path("project/a/b/state/key")) == "private");
    CHECK(read_text(folder.path("project/c/egret.yaml")) == "private");
  }
}

TEST_CASE("a request in which something hidden could not stay hidden is refused") {
  if (!sandbox_possible()) return;
  const Folder folder;
  folder.make_directory("state/deep");
  SandboxRequest request = request_for(folder, {});
  request.hidden_paths = {folder.path("state")};
  SUBCASE("the working directory is the hidden folder") {
    request.working_directory = folder.path("state");
  }
  SUBCASE("the working directory lies in it") {
    request.working_directory = folder.path("state/deep");
  }
  SUBCASE("a writable path lies in it") {
    request.writable_paths = {folder.path("state/deep")};
  }
  SUBCASE("it is yet to be made in a writable folder") {
    request.hidden_paths = {folder.path("project/state")};
  }
  SUBCASE("a link to it lies in a writable folder") {
    folder.make_directory("project");
    std::filesystem::create_directory_symlink("../state", folder.path("project/link"));
    request.hidden_paths = {folder.path("project/link")};
  }
  SUBCASE("a link outside leads to one in a writable folder") {
    folder.make_directory("project");
    std::filesystem::create_directory_symlink("../state", folder.path("project/link"));
    std::filesystem::create_directory_symlink("project/link", folder.path("outer"));
    request.hidden_paths = {folder.path("outer/deep")};
  }
  const Outcome outcome = shell(request, "echo ran");
  CHECK(outcome.status == 77);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.find("hidden") != std::string::npos);
}

TEST_CASE("files of the request appear read-only and leave nothing behind") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    SandboxRequest request = request_for(folder, {}, caller);
    const std::string bytes("with\0nul\n", 9);
    request.files = {{"/run/egret/ca-bundle.pem", "certificates\n"},
                     {"/tmp/x/y", bytes},
                     {"/etc/hostname", "inside\n"}};
    const Outcome outcome =
        shell(request,
              "cat /run/egret/ca-bundle.pem /tmp/x/y /etc/hostname; "
              "echo z > /run/egret/ca-bundle.pem; rm -f /run/egret/ca-bundle.pem;"
              "cat /run/egret/ca-bundle.pem",
              caller);
    CHECK(outcome.out == "certificates\n" + bytes + "inside\ncertificates\n");
    CHECK_FALSE(std::filesystem::exists("/run/egret/ca-bundle.pem"));
    CHECK_FALSE(std::filesystem::exists("/tmp/x/y"));
  }
}

TEST_CASE("a file where none can be put is refused") {
  if (!sandbox_possible()) return;
  const Folder folder;
  SandboxRequest request = request_for(folder, {});
  for (const std::string path : {"/etc/egret/new", "relative", "/etc", ""}) {
    CAPTURE(path);
    request.files = {{path, "x"}};
    CHECK(shell(request, "true").status == 77);
  }
}

TEST_CASE("names are looked up by file and by DNS only") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome =
      shell(request_for(folder, {}), "cat /etc/resolv.conf; grep hosts: /etc/nsswitch.conf");
  CHECK(outcome.out == "nameserver 127.0.0.1\noptions edns0 trust-ad\nhosts: files dns\n");
}

}  // namespace egret::test
