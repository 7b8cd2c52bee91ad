#include "sandbox-glue/namespace/self_test.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>

#include "sandbox-glue/namespace/original_destination.h"

namespace egret {
namespace {

constexpr int probe_timeout_ms = 2000;  // loopback inside one kernel answers in microseconds
constexpr int others_max = 64;
constexpr std::uint16_t discard_port = 9;
constexpr std::uint16_t dns_port = 53;
constexpr std::uint16_t quic_port = 443;

// 192.0.2.1 (RFC 5737) and 2001:db8::1 (RFC 3849): addresses that nobody has.
sockaddr_storage documentation_address(int family, std::uint16_t port) {
  sockaddr_storage storage{};
  if (family == AF_INET) {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    ::inet_pton(AF_INET, "192.0.2.1", &address->sin_addr);
  } else {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(port);
    ::inet_pton(AF_INET6, "2001:db8::1", &address->sin6_addr);
  }
  return storage;
}

socklen_t length_of(int family) {
  return family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

SetupFault leak(int family, const char* what) {
  return {std::string("the sandbox's rules do not hold: ") +
              (family == AF_INET ? "IPv4 " : "IPv6 ") + what,
          "nft list ruleset, and the modules nft_chain_nat, nft_redir and nft_reject_inet"};
}

bool readable(const UniqueFd& socket) {
  pollfd wait{socket.get(), POLLIN, 0};
  int ready = -1;
  while ((ready = ::poll(&wait, 1, probe_timeout_ms)) < 0 && errno == EINTR) {
  }
  return ready == 1 && (wait.revents & POLLIN) != 0;
}

bool same_endpoint(int family, const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (family == AF_INET) {
    const auto& x = reinterpret_cast<const sockaddr_in&>(a);
    const auto& y = reinterpret_cast<const sockaddr_in&>(b);
    return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
  }
  const auto& x = reinterpret_cast<const sockaddr_in6&>(a);
  const auto& y = reinterpret_cast<const sockaddr_in6&>(b);
  return x.sin6_port == y.sin6_port &&
         std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr)) == 0;
}

bool connection_arrives(int family, std::uint16_t port, const UniqueFd& listener) {
  const sockaddr_storage target = documentation_address(family, port);
  UniqueFd client(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!client) return false;
  const int dialled =
      ::connect(client.get(), reinterpret_cast<const sockaddr*>(&target), length_of(family));
  if (dialled != 0 && errno != EINPROGRESS) return false;
  // Where programs run already, a connection of theirs may come first: it is closed.
  for (int others = 0; others < others_max && readable(listener); ++others) {
    UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const auto original = accepted ? original_destination(accepted.get()) : std::nullopt;
    if (original && same_endpoint(family, *original, target)) return true;
  }
  return false;
}

bool datagram_arrives(int family, const UniqueFd& receiver) {
  const sockaddr_storage target = documentation_address(family, dns_port);
  UniqueFd client(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!client) return false;
  char probe = 'e';
  if (::sendto(client.get(), &probe, 1, 0, reinterpret_cast<const sockaddr*>(&target),
               length_of(family)) != 1) {
    return false;
  }
  return readable(receiver) && ::recv(receiver.get(), &probe, 1, 0) == 1;
}

bool datagram_refused(int family) {
  const sockaddr_storage target = documentation_address(family, quic_port);
  UniqueFd client(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const char probe = 'e';
  return client && ::sendto(client.get(), &probe, 1, 0, reinterpret_cast<const sockaddr*>(&target),
                            length_of(family)) < 0;
}

Result<void, SetupFault> test_family(int family, const UniqueFd& tcp, const UniqueFd& dns_udp,
                                     const UniqueFd& dns_tcp) {
  if (!datagram_refused(family)) return leak(family, "datagrams are not refused");
  if (!connection_arrives(family, discard_port, tcp)) return leak(family, "TCP is not captured");
  if (!datagram_arrives(family, dns_udp)) return leak(family, "DNS over UDP is not captured");
  if (!connection_arrives(family, dns_port, dns_tcp)) {
    return leak(family, "DNS over TCP is not captured");
  }
  return {};
}

}  // namespace

Result<void, SetupFault> test_namespace(const NamespaceSockets& sockets) {
  auto v4 = test_family(AF_INET, sockets.tcp4, sockets.dns_udp4, sockets.dns_tcp4);
  if (!v4 || !sockets.tcp6) return v4;
  return test_family(AF_INET6, sockets.tcp6, sockets.dns_udp6, sockets.dns_tcp6);
}

}  // namespace egret
