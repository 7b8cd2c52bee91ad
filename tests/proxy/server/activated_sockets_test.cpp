#include "proxy/server/activated_sockets.h"

#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/certs/temporary_directory.h"

using namespace egret;
using namespace egret::test;

namespace {

enum class Kind { stream, datagram, not_listening };

// As a manager leaves it: blocking, and kept over exec.
int tcp_socket(int family, Kind kind = Kind::stream) {
  const int fd = ::socket(family, kind == Kind::datagram ? SOCK_DGRAM : SOCK_STREAM, 0);
  sockaddr_storage any{};
  any.ss_family = static_cast<sa_family_t>(family);
  const int on = 1;
  if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
  if (kind == Kind::stream) REQUIRE(::listen(fd, 4) == 0);
  return fd;
}

int unix_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 4) == 0);
  return fd;
}

// Puts the sockets side by side, where nothing else is.
int in_a_row(const std::vector<int>& sockets) {
  constexpr int first = 200;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    REQUIRE(::dup2(sockets[i], first + static_cast<int>(i)) >= 0);
    ::close(sockets[i]);
  }
  return first;
}

}  // namespace

TEST_CASE("a socket is taken by where it listens, once, and made ready for the gate") {
  const TemporaryDirectory directory;
  const std::string path = directory / "web.sock";
  const int first = in_a_row({tcp_socket(AF_INET), tcp_socket(AF_INET6), unix_socket(path)});
  const SocketAddress four = *local_address(first);
  const SocketAddress six = *local_address(first + 1);
  auto sockets = ActivatedSockets::from_descriptors(first, 3);
  REQUIRE(sockets.has_value());
  CHECK(sockets->left() == std::vector<ListenPlace>{four, six, path});
  SocketAddress other = four;
  ++other.port;
  CHECK_FALSE(sockets->take(other).has_value());
  CHECK_FALSE(sockets->take(path + "2").has_value());
  for (const ListenPlace& place : {ListenPlace(four), ListenPlace(six), ListenPlace(path)}) {
    CAPTURE(text_of(place));
    const auto taken = sockets->take(place);
    REQUIRE(taken.has_value());
    CHECK((::fcntl(taken->get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(taken->get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(sockets->take(place).has_value());
  }
  CHECK(sockets->left().empty());
}

TEST_CASE("what is no listening stream socket is refused with its number") {
  const TemporaryDirectory directory;
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  ::close(pipe_ends[1]);
  for (const int bad : {tcp_socket(AF_INET, Kind::datagram),
                        tcp_socket(AF_INET, Kind::not_listening), pipe_ends[0]}) {
    const int first = in_a_row({tcp_socket(AF_INET), bad});
    const auto sockets = ActivatedSockets::from_descriptors(first, 2);
    REQUIRE(sockets.has_error());
    CHECK(sockets.error().text.find("descriptor 201 ") != std::string::npos);
    CHECK(sockets.error().exit_code == 2);
    ::close(first + 1);
  }
}

TEST_CASE("sockets announced to another process, or to nobody, are none; the variables go") {
  struct Case {
    const char* pid;
    const char* count;
    bool fails;
  };
  const std::string own = std::to_string(::getpid());
  for (const Case& c : {Case{nullptr, nullptr, false}, Case{"1", "1", false}, Case{"x", "1", false},
                        Case{own.c_str(), "0", false}, Case{own.c_str(), "many", true},
                        Case{own.c_str(), "-1", true}, Case{own.c_str(), "100000", true}}) {
    if (c.pid != nullptr) ::setenv("LISTEN_PID", c.pid, 1);
    if (c.count != nullptr) ::setenv("LISTEN_FDS", c.count, 1);
    ::setenv("LISTEN_FDNAMES", "egret.socket", 1);
    const auto sockets = ActivatedSockets::from_environment();
    CHECK(sockets.has_error() == c.fails);
    if (sockets.has_value()) CHECK(sockets->left().empty());
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
      CHECK(std::getenv(name) == nullptr);
  }
}

TEST_CASE("places read as people write them") {
  CHECK(text_of(SocketAddress{*IpAddress::parse("127.0.0.1"), 3128}) == "127.0.0.1:3128");
  CHECK(text_of(SocketAddress{*IpAddress::parse("::1"), 3128}) == "[::1]:3128");
  CHECK(text_of(std::string("/run/egret/web.sock")) == "/run/egret/web.sock");
}
