#include "sandbox-glue/namespace/sockets.h"

namespace egret {

std::vector<int> descriptors_of(const NamespaceSockets& sockets) {
  std::vector<int> out{sockets.tcp4.get(), sockets.dns_udp4.get(), sockets.dns_tcp4.get()};
  if (sockets.tcp6)
    out.insert(out.end(), {sockets.tcp6.get(), sockets.dns_udp6.get(), sockets.dns_tcp6.get()});
  return out;
}

std::optional<NamespaceSockets> sockets_from(std::vector<UniqueFd> descriptors,
                                             std::uint16_t tcp_port, std::uint16_t dns_port) {
  constexpr std::size_t one_family = 3;
  if (descriptors.size() != one_family && descriptors.size() != 2 * one_family) return {};
  NamespaceSockets sockets;
  sockets.tcp_port = tcp_port;
  sockets.dns_port = dns_port;
  sockets.tcp4 = std::move(descriptors[0]);
  sockets.dns_udp4 = std::move(descriptors[1]);
  sockets.dns_tcp4 = std::move(descriptors[2]);
  if (descriptors.size() > one_family) {
    sockets.tcp6 = std::move(descriptors[3]);
    sockets.dns_udp6 = std::move(descriptors[4]);
    sockets.dns_tcp6 = std::move(descriptors[5]);
  }
  return sockets;
}

}  // namespace egret
