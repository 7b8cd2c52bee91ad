#include "sandbox-glue/namespace/guest_sockets.h"

#include <arpa/inet.h>
#include <cerrno>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sandbox-glue/namespace/loopback.h"

namespace egret {
namespace {

constexpr char guest_sockets_tag = 'G';
constexpr std::uint16_t dhcp_server_port = 67;
constexpr int neighbour_hops = 255;  // what comes with less is not believed

bool bind_to(const UniqueFd& socket, const std::string& device) {
  return ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                      static_cast<socklen_t>(device.size() + 1)) == 0;
}

Result<UniqueFd, SetupFault> open_dhcp(const std::string& device) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(dhcp_server_port);
  const int on = 1;
  if (!socket || !bind_to(socket, device) ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) != 0 ||
      ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return system_fault("cannot open a socket for DHCP", errno);
  }
  return socket;
}

Result<UniqueFd, SetupFault> open_router(const std::string& device) {
  UniqueFd socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  icmp6_filter only_solicitations;
  ICMP6_FILTER_SETBLOCKALL(&only_solicitations);
  ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &only_solicitations);
  ipv6_mreq all_routers{};
  ::inet_pton(AF_INET6, "ff02::2", &all_routers.ipv6mr_multiaddr);
  all_routers.ipv6mr_interface = ::if_nametoindex(device.c_str());
  if (!socket || !bind_to(socket, device) ||
      ::setsockopt(socket.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &only_solicitations,
                   sizeof(only_solicitations)) != 0 ||
      ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &neighbour_hops,
                   sizeof(neighbour_hops)) != 0 ||
      ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &all_routers,
                   sizeof(all_routers)) != 0) {
    return system_fault("cannot open a socket for router advertisements", errno);
  }
  return socket;
}

}  // namespace

Result<GuestSockets, SetupFault> open_guest_sockets(const std::string& device) {
  GuestSockets sockets;
  auto dhcp = open_dhcp(device);
  if (!dhcp) return dhcp.error();
  sockets.dhcp = std::move(*dhcp);
  if (!kernel_has_ipv6()) return sockets;
  auto router = open_router(device);
  if (!router) return router.error();
  sockets.router = std::move(*router);
  return sockets;
}

Result<void, SetupFault> send_guest_sockets(const UniqueFd& channel, const GuestSockets& sockets) {
  std::vector<int> descriptors{sockets.dhcp.get()};
  if (sockets.router) descriptors.push_back(sockets.router.get());
  return send_message(channel, {&guest_sockets_tag, 1}, descriptors);
}

Result<GuestSockets, SetupFault> receive_guest_sockets(const UniqueFd& channel) {
  auto received = receive_message(channel);
  if (!received) return received.error();
  constexpr std::size_t descriptors_max = 2;
  if (!*received || (*received)->bytes != std::string_view(&guest_sockets_tag, 1) ||
      (*received)->descriptors.empty() || (*received)->descriptors.size() > descriptors_max) {
    return SetupFault{"a garbled message about the guest's sockets", {}};
  }
  auto& descriptors = (*received)->descriptors;
  GuestSockets sockets;
  sockets.dhcp = std::move(descriptors[0]);
  if (descriptors.size() == descriptors_max) sockets.router = std::move(descriptors[1]);
  return sockets;
}

}  // namespace egret
