#include "sandbox-glue/namespace/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "sandbox-glue/namespace/open_sockets.h"

namespace egret {

TEST_CASE("sockets travel whole, with their ports, close-on-exec") {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  auto sockets = open_namespace_sockets();
  REQUIRE(sockets.has_value());
  REQUIRE(send_sockets(pair->theirs, *sockets).has_value());
  auto received = receive_sockets(pair->ours);
  REQUIRE(received.has_value());
  CHECK(received->tcp_port == sockets->tcp_port);
  CHECK(received->dns_port == sockets->dns_port);
  CHECK(static_cast<bool>(received->tcp6) == static_cast<bool>(sockets->tcp6));
  for (const UniqueFd* one : {&received->tcp4, &received->dns_udp4, &received->dns_tcp4}) {
    CHECK((::fcntl(one->get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(one->get(), F_GETFL) & O_NONBLOCK) != 0);
  }
  int listening = 0;
  socklen_t length = sizeof(listening);
  REQUIRE(::getsockopt(received->tcp4.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0);
  CHECK(listening == 1);
}

TEST_CASE("both families share one port") {
  auto sockets = open_namespace_sockets();
  REQUIRE(sockets.has_value());
  CHECK(sockets->tcp_port != 0);
  CHECK(sockets->dns_port != 0);
  CHECK(sockets->tcp_port != sockets->dns_port);
}

TEST_CASE("a fault travels with its remedy") {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  send_fault(pair->theirs, {"no such luck", "sysctl luck=1"});
  auto received = receive_sockets(pair->ours);
  REQUIRE_FALSE(received.has_value());
  CHECK(received.error().what == "no such luck");
  CHECK(received.error().remedy == "sysctl luck=1");
}

TEST_CASE("a helper that dies is a fault, not a wait") {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  pair->theirs.reset();
  CHECK_FALSE(receive_sockets(pair->ours).has_value());
}

TEST_CASE("a sockets message without all its sockets is refused") {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  for (const std::string& bytes : {std::string("S"), std::string("S\0\1\0\1\0", 6),
                                   std::string("S\1\1\0\1\0", 6), std::string("?")}) {
    REQUIRE(send_message(pair->theirs, bytes, {pair->theirs.get()}).has_value());
    CHECK_FALSE(receive_sockets(pair->ours).has_value());
  }
}

TEST_CASE("a message tells who sent it") {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  REQUIRE(send_message(pair->theirs, "R", {}).has_value());
  auto received = receive_message(pair->ours);
  REQUIRE(received.has_value());
  REQUIRE(received->has_value());
  CHECK((*received)->sender == ::getpid());
}

}  // namespace egret
