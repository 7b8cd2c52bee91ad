#include "sandbox-glue/namespace/original_destination.h"

#include <netinet/in.h>

namespace egret {
namespace {

// <linux/netfilter_ipv4.h> and <linux/netfilter_ipv6/ip6_tables.h>; both are 80.
constexpr int original_destination_option = 80;

}  // namespace

std::optional<sockaddr_storage> original_destination(int accepted_socket) {
  int family = 0;
  socklen_t length = sizeof(family);
  if (::getsockopt(accepted_socket, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) return {};
  sockaddr_storage address{};
  length = sizeof(address);
  const int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (::getsockopt(accepted_socket, level, original_destination_option, &address, &length) != 0) {
    return {};
  }
  return address;
}

}  // namespace egret
