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
#include "sandbox-glue/namespace/netlink.h"

namespace egret {
namespace {

constexpr unsigned loopback_index = 1;  // lo is the first interface of every namespace

// 0, or what the kernel says against it. `type`: RTM_NEWROUTE or RTM_DELROUTE.
Result<int, SetupFault> change_local_route(const UniqueFd& netlink, unsigned short type,
                                           unsigned char family, const void* source,
                                           std::size_t source_bytes) {
  rtmsg route{};
  route.rtm_family = family;
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  NetlinkRequest request(type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0, route);
  request.add(RTA_OIF, &loopback_index, sizeof(loopback_index));
  request.add(RTA_PREFSRC, source, source_bytes);
  return request.ask(netlink, std::string("cannot change the local route for ") +
                                  (family == AF_INET ? "IPv4" : "IPv6"));
}

Result<int, SetupFault> change_route4(const UniqueFd& netlink, unsigned short type) {
  const in_addr source4{htonl(INADDR_LOOPBACK)};
  return change_local_route(netlink, type, AF_INET, &source4, sizeof(source4));
}
Result<int, SetupFault> change_route6(const UniqueFd& netlink, unsigned short type) {
  const in6_addr source6 = IN6ADDR_LOOPBACK_INIT;
  return change_local_route(netlink, type, AF_INET6, &source6, sizeof(source6));
}

using ChangeRoute = Result<int, SetupFault> (*)(const UniqueFd&, unsigned short);

Result<void, SetupFault> add_route(const UniqueFd& netlink, ChangeRoute change, bool& added) {
  const auto answered = change(netlink, RTM_NEWROUTE);
  if (!answered) return answered.error();
  if (*answered == EEXIST) return {};  // of an earlier attachment
  if (*answered != 0) return system_fault("cannot make every address local", *answered);
  added = true;
  return {};
}

// Where the host has IPv6 switched off by sysctl, a new namespace may inherit that. The route and
// ::1 are wanted here, and they cannot reach anything outside.
void switch_on_ipv6(std::vector<std::string>& switched) {
  for (const char* path :
       {"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/lo/disable_ipv6"}) {
    UniqueFd setting(::open(path, O_RDWR | O_CLOEXEC));
    char before = '0';
    // A failure shows at once in add_route().
    if (!setting || ::pread(setting.get(), &before, 1, 0) != 1 || before != '1') continue;
    if (::pwrite(setting.get(), "0", 1, 0) == 1) switched.emplace_back(path);
  }
}

UniqueFd control_socket() {
  return UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// A request about `lo`.
ifreq about_loopback() {
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  return request;
}

Result<void, SetupFault> set_loopback_up(LoopbackChanges& changes) {
  const UniqueFd any = control_socket();
  if (!any) return system_fault("cannot create a socket in the namespace", errno);
  ifreq request = about_loopback();
  request.ifr_addr.sa_family = AF_INET;
  changes.address = ::ioctl(any.get(), SIOCGIFADDR, &request) != 0;
  request = about_loopback();
  if (::ioctl(any.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0)
    return {};
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &request) != 0)
    return system_fault("cannot bring up the sandbox's loopback interface", errno);
  changes.up = true;
  return {};
}

}  // namespace

bool kernel_has_ipv6() {
  return static_cast<bool>(UniqueFd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
}

Result<void, SetupFault> bring_up_loopback(LoopbackChanges& changes) {
  const bool with_v6 = kernel_has_ipv6();
  if (with_v6) switch_on_ipv6(changes.ipv6_settings);
  if (auto up = set_loopback_up(changes); !up) return up.error();
  const auto netlink = open_route_netlink();
  if (!netlink) return netlink.error();
  auto added = add_route(*netlink, change_route4, changes.route4);
  if (!added || !with_v6) return added;
  return add_route(*netlink, change_route6, changes.route6);
}

void undo(const LoopbackChanges& changes) noexcept {
  const auto netlink = open_route_netlink();
  if (netlink && changes.route6) (void)change_route6(*netlink, RTM_DELROUTE);
  if (netlink && changes.route4) (void)change_route4(*netlink, RTM_DELROUTE);
  if (const UniqueFd any = control_socket(); changes.up && any) {
    ifreq request = about_loopback();
    request.ifr_addr.sa_family = AF_INET;  // 0.0.0.0: none
    if (changes.address) (void)::ioctl(any.get(), SIOCSIFADDR, &request);
    request = about_loopback();
    (void)::ioctl(any.get(), SIOCSIFFLAGS, &request);
  }
  for (const std::string& path : changes.ipv6_settings) {
    UniqueFd setting(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (setting) (void)!::write(setting.get(), "1", 1);
  }
}

}  // namespace egret
