#include "sandbox-glue/namespace/open_sockets.h"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>

#include "sandbox-glue/namespace/loopback.h"

namespace egret {
namespace {

constexpr int listen_backlog = 511;

enum class Reach { Wildcard, Loopback };

Result<UniqueFd, SetupFault> bind_socket(int family, int type, Reach reach, std::uint16_t port) {
  UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_fault("cannot create a socket for the gate", errno);
  int bound = -1;
  if (family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(reach == Reach::Wildcard ? INADDR_ANY : INADDR_LOOPBACK);
    bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  } else {
    const int on = 1;
    if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) {
      return system_fault("cannot keep the gate's socket to IPv6", errno);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr =
        reach == Reach::Wildcard ? in6_addr(IN6ADDR_ANY_INIT) : in6_addr(IN6ADDR_LOOPBACK_INIT);
    bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  if (bound != 0) return system_fault("cannot bind the gate's socket", errno);
  if (type == SOCK_STREAM && ::listen(socket.get(), listen_backlog) != 0) {
    return system_fault("cannot listen on the gate's socket", errno);
  }
  return socket;
}

// Binds into `to`, on `port` or, when that is 0, on one that the kernel picks and `port` then
// tells.
Result<void, SetupFault> bind_into(UniqueFd& to, int family, int type, Reach reach,
                                   std::uint16_t& port) {
  auto socket = bind_socket(family, type, reach, port);
  if (!socket) return socket.error();
  to = std::move(*socket);
  if (port != 0) return {};
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (::getsockname(to.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return system_fault("cannot read the gate's port", errno);
  }
  port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                 : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return {};
}

Result<NamespaceSockets, SetupFault> try_to_open(SocketsFor whom) {
  NamespaceSockets sockets;
  const Reach dns_reach = whom == SocketsFor::Guest ? Reach::Wildcard : Reach::Loopback;
  struct Wanted {
    UniqueFd& socket;
    int family;
    int type;
    Reach reach;
    std::uint16_t& port;
  };
  // The first socket of each port picks it.
  const Wanted wanted[] = {
      {sockets.tcp4, AF_INET, SOCK_STREAM, Reach::Wildcard, sockets.tcp_port},
      {sockets.dns_udp4, AF_INET, SOCK_DGRAM, dns_reach, sockets.dns_port},
      {sockets.dns_tcp4, AF_INET, SOCK_STREAM, dns_reach, sockets.dns_port},
      {sockets.tcp6, AF_INET6, SOCK_STREAM, Reach::Wildcard, sockets.tcp_port},
      {sockets.dns_udp6, AF_INET6, SOCK_DGRAM, dns_reach, sockets.dns_port},
      {sockets.dns_tcp6, AF_INET6, SOCK_STREAM, dns_reach, sockets.dns_port},
  };
  const bool with_v6 = kernel_has_ipv6();
  for (const Wanted& one : wanted) {
    if (one.family == AF_INET6 && !with_v6) continue;
    auto bound = bind_into(one.socket, one.family, one.type, one.reach, one.port);
    if (!bound) return bound.error();
  }
  return sockets;
}

}  // namespace

// In a namespace of its own the first try does it. In one where programs run already, a port that
// is free for one family or protocol may be taken for another.
Result<NamespaceSockets, SetupFault> open_namespace_sockets(SocketsFor whom) {
  constexpr int tries_max = 16;
  auto sockets = try_to_open(whom);
  for (int tries = 1; !sockets && tries < tries_max; ++tries)
    sockets = try_to_open(whom);
  return sockets;
}

}  // namespace egret
