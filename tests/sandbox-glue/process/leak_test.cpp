// What a program inside can reach: the gate, itself, and nothing else.
#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <doctest/doctest.h>

#include "tests/sandbox-glue/support/gate_process.h"

namespace egret::test {
namespace {

// Runs Python statements that print; `attempt(f)` prints what f() yields or the error's name.
constexpr const char* prelude = R"(
import socket, errno, os, struct, subprocess
def attempt(f):
    try:
        r = f()
        print('ok' if r is None else r, flush=True)
    except OSError as e:
        print(errno.errorcode.get(e.errno, str(e)), flush=True)
def tcp(family, host, port):
    with socket.create_connection((host, port), timeout=5) as s:
        return s.makefile().read()
def udp(family, host, port, data=b'q'):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.connect((host, port))
        s.send(data)
        return s.recv(100).decode()
def raw(family, kind, protocol):
    socket.socket(family, kind, protocol).close()
V4, V6 = socket.AF_INET, socket.AF_INET6
)";

Outcome attempt(const Folder& folder, const std::string& statement, Caller caller) {
  return run_inside(python_request(folder, prelude + statement, caller), {}, caller);
}

UniqueFd listen_on(int family, std::uint16_t& port) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(socket.get(), 8) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);  // the same place in both
  return socket;
}

// `name` may start with NUL: abstract.
UniqueFd listen_on_unix(const std::string& name) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(socket.get(), 8) == 0);
  return socket;
}

bool was_reached(const UniqueFd& listener) {
  return static_cast<bool>(UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

std::vector<std::string> addresses_of_this_machine() {
  std::vector<std::string> addresses;
  ifaddrs* all = nullptr;
  REQUIRE(::getifaddrs(&all) == 0);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr, text,
                sizeof(text));
    if (std::strncmp(text, "127.", 4) != 0) addresses.emplace_back(text);
  }
  ::freeifaddrs(all);
  return addresses;
}

}  // namespace

TEST_CASE("TCP to any address and port ends at the gate, which knows what was dialled") {
  if (!sandbox_possible()) return;
  const char* targets[] = {"192.0.2.1 443",   "8.8.8.8 1",          "169.254.169.254 80",
                           "10.0.0.1 22",     "1.1.1.1 65535",      "224.0.0.1 80",
                           "240.0.0.1 80",    "100.64.0.1 8080",    "2001:db8::1 443",
                           "fd00::1 22",      "fe80::1 80",         "2606:4700::1111 853",
                           "64:ff9b::1 4431", "2002:808:808::1 80", "::2 80"};
  std::string statement;
  for (const std::string target : targets) {
    const std::size_t space = target.find(' ');
    statement += "attempt(lambda: tcp(0, '" + target.substr(0, space) + "', " +
                 target.substr(space + 1) + "))\n";
  }
  for (const Caller caller : callers()) {
    const Folder folder;
    const Outcome outcome = attempt(folder, statement, caller);
    REQUIRE(outcome.status == 0);
    std::string expected;
    std::vector<std::string> arrived = outcome.arrivals;
    for (const std::string target : targets) {
      CAPTURE(target);
      // fe80::/10 needs an interface to be dialled at all, multicast is no place for TCP.
      const bool dialled = std::count(arrived.begin(), arrived.end(), "tcp " + target) == 1;
      const bool undiallable = target == "fe80::1 80" || target == "224.0.0.1 80";
      CHECK(dialled != undiallable);
    }
  }
}

TEST_CASE("DNS to any resolver, by UDP and TCP, ends at the gate and is answered") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = attempt(folder, R"(
for host in ('8.8.8.8', '127.0.0.53', '127.0.0.1'): attempt(lambda: udp(V4, host, 53))
for host in ('2001:4860:4860::8888', '::1'): attempt(lambda: udp(V6, host, 53))
for host in ('9.9.9.9', '2620:fe::fe'): attempt(lambda: tcp(0, host, 53))
)",
                                  Caller::Self);
  CHECK(outcome.out == "q\nq\nq\nq\nq\ndns\ndns\n");
  CHECK(outcome.arrivals == std::vector<std::string>{"dns-udp 4", "dns-udp 4", "dns-udp 4",
                                                     "dns-udp 6", "dns-udp 6", "dns-tcp 4",
                                                     "dns-tcp 6"});
}

TEST_CASE("the resolver of libc asks the gate") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = attempt(folder, R"(
try: socket.getaddrinfo('name.example', 80)
except OSError: pass
)",
                                  Caller::Self);
  CHECK(outcome.status == 0);
  CHECK(std::count(outcome.arrivals.begin(), outcome.arrivals.end(), "dns-udp 4") > 0);
}

TEST_CASE("what is neither TCP nor DNS is refused at once") {
  if (!sandbox_possible()) return;
  const struct {
    const char* what;
    const char* statement;
  } cases[] = {
      {"QUIC", "attempt(lambda: udp(V4, '192.0.2.1', 443, b'\\xc3' + bytes(1199)))"},
      {"QUIC over IPv6", "attempt(lambda: udp(V6, '2001:db8::1', 443))"},
      {"NTP", "attempt(lambda: udp(V4, '192.0.2.1', 123))"},
      {"DNS on another port", "attempt(lambda: udp(V4, '8.8.8.8', 5353))"},
      {"DNS over QUIC", "attempt(lambda: udp(V4, '8.8.8.8', 853))"},
      {"the metadata address", "attempt(lambda: udp(V4, '169.254.169.254', 80))"},
      {"multicast", "attempt(lambda: udp(V4, '224.0.0.251', 5353))"},
      {"broadcast", "attempt(lambda: udp(V4, '255.255.255.255', 67))"},
      {"unique local", "attempt(lambda: udp(V6, 'fd00::1', 51820))"},
  };
  for (const Caller caller : callers()) {
    for (const auto& one : cases) {
      CAPTURE(one.what);
      const Folder folder;
      const Outcome outcome = attempt(folder, one.statement, caller);
      CHECK(outcome.out == "EPERM\n");
      CHECK(outcome.arrivals.empty());
    }
  }
}

TEST_CASE("a bound or unconnected datagram is no way around") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = attempt(folder, R"(
def freely():
    s = socket.socket(V4, socket.SOCK_DGRAM)
    s.bind(('203.0.113.9', 0))
    s.sendto(b'q', ('192.0.2.1', 9))
attempt(freely)
def mapped():
    s = socket.socket(V6, socket.SOCK_DGRAM)
    s.sendto(b'q', ('::ffff:192.0.2.1', 9))
attempt(mapped)
)",
                                  Caller::Self);
  CHECK(outcome.out == "EPERM\nEPERM\n");
}

TEST_CASE("sockets that need power or leave IP behind cannot be had") {
  if (!sandbox_possible()) return;
  const struct {
    const char* what;
    const char* statement;
    const char* answer;
  } cases[] = {
      {"raw IP", "attempt(lambda: raw(V4, socket.SOCK_RAW, 1))", "EPERM"},
      {"raw IPv6", "attempt(lambda: raw(V6, socket.SOCK_RAW, 58))", "EPERM"},
      {"packet", "attempt(lambda: raw(17, socket.SOCK_RAW, 0x300))", "EAFNOSUPPORT"},
      {"vsock", "attempt(lambda: raw(40, socket.SOCK_STREAM, 0))", "EAFNOSUPPORT"},
      {"bluetooth", "attempt(lambda: raw(31, socket.SOCK_RAW, 1))", "EAFNOSUPPORT"},
      {"kernel crypto", "attempt(lambda: raw(38, socket.SOCK_SEQPACKET, 0))", "EAFNOSUPPORT"},
      {"key management", "attempt(lambda: raw(15, socket.SOCK_RAW, 2))", "EAFNOSUPPORT"},
      {"ping", "attempt(lambda: raw(V4, socket.SOCK_DGRAM, 1))", "EACCES"},
  };
  for (const Caller caller : callers()) {
    for (const auto& one : cases) {
      CAPTURE(one.what);
      const Folder folder;
      CHECK(attempt(folder, one.statement, caller).out == std::string(one.answer) + "\n");
    }
  }
}

TEST_CASE("SCTP gets nowhere") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = attempt(folder, R"(
def sctp():
    s = socket.socket(V4, socket.SOCK_STREAM, 132)
    s.settimeout(1)
    s.connect(('192.0.2.1', 443))
    return 'connected'
attempt(sctp)
)",
                                  Caller::Self);
  CHECK(outcome.out != "connected\n");
  CHECK(outcome.arrivals.empty());
}

TEST_CASE("the sandbox's own loopback stays its own") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = attempt(folder, R"(
for family, host in ((V4, '127.0.0.1'), (V6, '::1')):
    server = socket.socket(family)
    server.bind((host, 0))
    server.listen()
    client = socket.create_connection((host, server.getsockname()[1]))
    peer = server.accept()[0]
    peer.send(b'own'); print(client.recv(3).decode(), flush=True)
    one = socket.socket(family, socket.SOCK_DGRAM); one.bind((host, 0))
    two = socket.socket(family, socket.SOCK_DGRAM); two.sendto(b'udp', one.getsockname())
    print(one.recv(3).decode(), flush=True)
attempt(lambda: tcp(0, '127.0.0.1', 9))
)",
                                  Caller::Self);
  CHECK(outcome.out == "own\nudp\nown\nudp\nECONNREFUSED\n");
  CHECK(outcome.arrivals.empty());
}

TEST_CASE("the host's services are out of reach, on loopback and on every address of its own") {
  if (!sandbox_possible()) return;
  std::uint16_t port4 = 0;
  std::uint16_t port6 = 0;
  const UniqueFd listener4 = listen_on(AF_INET, port4);
  const UniqueFd listener6 = listen_on(AF_INET6, port6);
  std::string statement = "attempt(lambda: tcp(0, '127.0.0.1', " + std::to_string(port4) +
                          "))\nattempt(lambda: tcp(0, '::1', " + std::to_string(port6) + "))\n";
  std::string expected = "ECONNREFUSED\nECONNREFUSED\n";
  for (const std::string& address : addresses_of_this_machine()) {
    statement += "attempt(lambda: tcp(0, '" + address + "', " + std::to_string(port4) + "))\n";
    expected += "tcp " + address + " " + std::to_string(port4) + "\n";
  }
  for (const Caller caller : callers()) {
    const Folder folder;
    CHECK(attempt(folder, statement, caller).out == expected);
    CHECK_FALSE(was_reached(listener4));
    CHECK_FALSE(was_reached(listener6));
  }
}

TEST_CASE(
    "the host's Unix sockets are out of reach, abstract ones and those in shown folders too") {
  if (!sandbox_possible()) return;
  for (const Caller caller : callers()) {
    const Folder folder;
    folder.make_directory("project");
    const std::string abstract = std::string(1, '\0') + folder.path("abstract");
    const std::string shown = folder.path("project/agent.sock");
    const std::string elsewhere = folder.path("tmp.sock");  // in /tmp, which is private inside
    const UniqueFd one = listen_on_unix(abstract);
    const UniqueFd two = listen_on_unix(shown);
    const UniqueFd three = listen_on_unix(elsewhere);
    const Outcome outcome = attempt(folder,
                                    R"(
def unix(name):
    socket.socket(socket.AF_UNIX).connect(name)
)"
                                    "attempt(lambda: unix('\\0" +
                                        folder.path("abstract") +
                                        "'))\n"
                                        "attempt(lambda: unix('" +
                                        shown + "'))\nattempt(lambda: unix('" + elsewhere + "'))\n",
                                    caller);
    CHECK(outcome.out == "ECONNREFUSED\nECONNREFUSED\nENOENT\n");
    CHECK_FALSE(was_reached(one));
    CHECK_FALSE(was_reached(two));
    CHECK_FALSE(was_reached(three));
  }
}

TEST_CASE("the gate's own port dialled directly can be told apart") {
  if (!sandbox_possible()) return;
  const Folder folder;
  const Outcome outcome = attempt(folder, R"(
port = int([l.split()[1].split(':')[1] for l in open('/proc/net/tcp') if ' 00000000:0000 0A ' in l
            and l.split()[1].startswith('00000000')][0], 16)
print(port, flush=True)
attempt(lambda: tcp(0, '127.0.0.1', port))
)",
                                  Caller::Self);
  REQUIRE(outcome.arrivals.size() == 1);
  const std::string port = outcome.out.substr(0, outcome.out.find('\n'));
  CHECK(outcome.arrivals.front() == "tcp 127.0.0.1 " + port);
}

TEST_CASE("rules, routes and interfaces cannot be changed, nor by a nested user namespace") {
  if (!sandbox_possible()) return;
  const char* commands[] = {
      "nft flush ruleset",
      "nft list ruleset",
      "ip link set lo down",
      "ip route flush table local",
      "ip route add 192.0.2.0/24 dev lo",
      "ip link add dummy0 type dummy",
      "unshare -Ur nft flush ruleset",
      "unshare -Ur ip link set lo down",
      "nsenter -t 1 -n true",
      "nsenter -t 1 -U true",
      "mount -o remount,rw /",
  };
  for (const Caller caller : callers()) {
    std::string script;
    for (const std::string command : commands) {
      script += command + " >/dev/null 2>&1 && echo 'allowed: " + command + "'\n";
    }
    script +=
        "unshare -Urn /usr/bin/python3 -I -c 'import socket; socket.create_connection"
        "((\"192.0.2.1\", 80), 2)' 2>/dev/null && echo 'a nested namespace got out'\n"
        "/usr/bin/python3 -I -c 'import socket; print(socket.create_connection"
        "((\"192.0.2.1\", 80)).recv(99).decode())'\n";
    const Folder folder;
    const Outcome outcome =
        run_inside(request_for(folder, {"sh", "-c", script}, caller), {}, caller);
    CHECK(outcome.out == "tcp 192.0.2.1 80\n");
    CHECK(outcome.arrivals == std::vector<std::string>{"tcp 192.0.2.1 80"});
  }
}

}  // namespace egret::test
