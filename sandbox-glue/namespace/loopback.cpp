#include "sandbox-glue/namespace/loopback.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "policy/unique_fd.h"

namespace egret {
namespace {

constexpr unsigned loopback_index = 1;  // lo is the first interface of every namespace

// A route request: header, route, and room for the two attributes.
struct RouteRequest {
  nlmsghdr header;
  rtmsg route;
  std::array<char, 64> attributes;
};

void append_attribute(RouteRequest& request, unsigned short type, const void* value,
                      std::size_t length) {
  const std::size_t at = NLMSG_ALIGN(request.header.nlmsg_len);
  rtattr attribute{};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(length));
  auto* bytes = reinterpret_cast<char*>(&request);
  std::memcpy(bytes + at, &attribute, sizeof(attribute));
  std::memcpy(bytes + at + RTA_LENGTH(0), value, length);
  request.header.nlmsg_len = static_cast<std::uint32_t>(at + RTA_ALIGN(attribute.rta_len));
}

Result<void, SetupFault> add_local_route(const UniqueFd& netlink, unsigned char family,
                                         const void* source, std::size_t source_bytes) {
  const std::string step =
      std::string("cannot add the local route for ") + (family == AF_INET ? "IPv4" : "IPv6");
  RouteRequest request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
  request.header.nlmsg_type = RTM_NEWROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  request.route.rtm_family = family;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_BOOT;
  request.route.rtm_scope = RT_SCOPE_HOST;
  request.route.rtm_type = RTN_LOCAL;
  append_attribute(request, RTA_OIF, &loopback_index, sizeof(loopback_index));
  append_attribute(request, RTA_PREFSRC, source, source_bytes);
  if (::send(netlink.get(), &request, request.header.nlmsg_len, 0) < 0) {
    return system_fault(step, errno);
  }
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> rest;
  } answer{};
  const ssize_t length = ::recv(netlink.get(), &answer, sizeof(answer), 0);
  if (length < 0) return system_fault(step, errno);
  constexpr auto needed = static_cast<ssize_t>(NLMSG_LENGTH(sizeof(answer.error.error)));
  if (length < needed || answer.header.nlmsg_type != NLMSG_ERROR) {
    return SetupFault{step + ": an unexpected netlink answer", {}};
  }
  if (answer.error.error != 0) return system_fault(step, -answer.error.error);
  return {};
}

// Where the host has IPv6 switched off by sysctl, a new namespace may inherit that. The route and
// ::1 are wanted here, and they cannot reach anything outside.
void switch_on_ipv6() {
  for (const char* path :
       {"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/lo/disable_ipv6"}) {
    UniqueFd setting(::open(path, O_WRONLY | O_CLOEXEC));
    // A failure shows at once in add_local_route().
    if (setting) (void)!::write(setting.get(), "0", 1);
  }
}

Result<void, SetupFault> set_loopback_up() {
  UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any) return system_fault("cannot create a socket in the new namespace", errno);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) {
    return system_fault("cannot bring up the sandbox's loopback interface", errno);
  }
  return {};
}

}  // namespace

bool kernel_has_ipv6() {
  return static_cast<bool>(UniqueFd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
}

Result<void, SetupFault> bring_up_loopback() {
  const bool with_v6 = kernel_has_ipv6();
  if (with_v6) switch_on_ipv6();
  if (auto up = set_loopback_up(); !up) return up.error();
  UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink) return system_fault("cannot open a netlink socket", errno);
  const in_addr source4{htonl(INADDR_LOOPBACK)};
  if (auto added = add_local_route(netlink, AF_INET, &source4, sizeof(source4)); !added) {
    return added.error();
  }
  if (!with_v6) return {};
  const in6_addr source6 = IN6ADDR_LOOPBACK_INIT;
  return add_local_route(netlink, AF_INET6, &source6, sizeof(source6));
}

}  // namespace egret
