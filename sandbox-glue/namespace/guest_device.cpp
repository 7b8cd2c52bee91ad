#include "sandbox-glue/namespace/guest_device.h"

#include <arpa/inet.h>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <memory>
#include <net/if.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "sandbox-glue/namespace/loopback.h"
#include "sandbox-glue/namespace/netlink.h"
#include "sandbox-glue/namespace/rules.h"

namespace egret {
namespace {

constexpr const char* link_local_gateway = "fe80::1";
constexpr unsigned link_local_prefix = 64;

GuestAddress parse(int family, const char* text, unsigned prefix) {
  GuestAddress address{family, {}, prefix};
  ::inet_pton(family, text, &address.bytes);
  return address;
}

unsigned prefix_of(const sockaddr& mask) {
  const auto* bytes = mask.sa_family == AF_INET
                          ? reinterpret_cast<const unsigned char*>(
                                &reinterpret_cast<const sockaddr_in&>(mask).sin_addr)
                          : reinterpret_cast<const sockaddr_in6&>(mask).sin6_addr.s6_addr;
  unsigned prefix = 0;
  const unsigned bits = mask.sa_family == AF_INET ? 32 : 128;
  while (prefix < bits && (bytes[prefix / 8] & (0x80U >> (prefix % 8))) != 0)
    ++prefix;
  return prefix;
}

in6_addr network_of(const GuestAddress& address) {
  in6_addr network = address.bytes;
  for (unsigned bit = address.prefix; bit < address.size() * 8; ++bit) {
    const unsigned kept = 0xffU ^ (0x80U >> (bit % 8));
    network.s6_addr[bit / 8] = static_cast<std::uint8_t>(network.s6_addr[bit / 8] & kept);
  }
  return network;
}

std::vector<GuestAddress> addresses_of(const std::string& device) {
  ifaddrs* head = nullptr;
  if (::getifaddrs(&head) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(head, &::freeifaddrs);
  std::vector<GuestAddress> found;
  for (const ifaddrs* one = head; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_netmask == nullptr || device != one->ifa_name)
      continue;
    GuestAddress address{one->ifa_addr->sa_family, {}, prefix_of(*one->ifa_netmask)};
    if (address.family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(*one->ifa_addr);
      std::memcpy(&address.bytes, &v4.sin_addr, sizeof(v4.sin_addr));
    } else if (address.family == AF_INET6) {
      address.bytes = reinterpret_cast<const sockaddr_in6&>(*one->ifa_addr).sin6_addr;
    } else {
      continue;
    }
    found.push_back(address);
  }
  return found;
}

bool is_link_local(const GuestAddress& address) {
  return address.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address.bytes);
}

// What is not written here stays as the kernel has it; then the addresses below fail or are
// refused, which shows.
void write_setting(const std::string& device, const char* name, const char* value) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + device + "/" + name;
  UniqueFd setting(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (setting) (void)!::write(setting.get(), value, std::strlen(value));
}

// `added` tells whether that changed anything.
Result<void, SetupFault> set_flag_up(const std::string& device, bool& added) {
  UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!any || ::ioctl(any.get(), SIOCGIFFLAGS, &request) != 0) {
    return system_fault("cannot find the device " + device, errno);
  }
  if ((request.ifr_flags & IFF_UP) != 0) return {};
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) {
    return system_fault("cannot bring up the device " + device, errno);
  }
  added = true;
  return {};
}

void set_flag_down(const std::string& device) {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!any || ::ioctl(any.get(), SIOCGIFFLAGS, &request) != 0) return;
  request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_UP);
  (void)::ioctl(any.get(), SIOCSIFFLAGS, &request);
}

class Device {
 public:
  Device(const UniqueFd& netlink, std::string name)
      : netlink_(netlink), name_(std::move(name)), index_(::if_nametoindex(name_.c_str())) {}

  Result<void, SetupFault> add_address(const GuestAddress& address) const {
    return change_address(RTM_NEWADDR, address)
        .send(netlink_, "cannot give " + name_ + " its address");
  }
  void remove_address(const GuestAddress& address) const {
    (void)change_address(RTM_DELADDR, address).ask(netlink_, {});
  }

  // In the table that is looked at first, where a longer prefix beats "everything is local". The
  // gateway itself first: the kernel does that for an IPv6 address some time later, and until then
  // the route to the network would send away what is for it.
  Result<void, SetupFault> add_routes(const GuestAddress& address) const {
    const std::string step = "cannot route the guest's network to " + name_;
    if (address.family == AF_INET6) {
      if (auto r = to_itself(RTM_NEWROUTE, address).send(netlink_, step); !r) return r;
    }
    return to_network(RTM_NEWROUTE, address).send(netlink_, step);
  }
  void remove_routes(const GuestAddress& address) const {
    (void)to_network(RTM_DELROUTE, address).ask(netlink_, {});
    if (address.family == AF_INET6) (void)to_itself(RTM_DELROUTE, address).ask(netlink_, {});
  }

 private:
  NetlinkRequest change_address(std::uint16_t type, const GuestAddress& address) const {
    ifaddrmsg about{};
    about.ifa_family = static_cast<unsigned char>(address.family);
    about.ifa_prefixlen = static_cast<unsigned char>(address.prefix);
    about.ifa_flags = IFA_F_NODAD;  // there is nobody else on the wire to ask
    about.ifa_index = index_;
    NetlinkRequest request(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0, about);
    request.add(IFA_LOCAL, &address.bytes, address.size());
    request.add(IFA_ADDRESS, &address.bytes, address.size());
    return request;
  }

  NetlinkRequest to_itself(std::uint16_t type, const GuestAddress& address) const {
    const auto bits = static_cast<unsigned char>(address.size() * 8);
    return change_route(type, RTN_LOCAL, address, address.bytes, bits);
  }
  NetlinkRequest to_network(std::uint16_t type, const GuestAddress& address) const {
    return change_route(type, RTN_UNICAST, address, network_of(address),
                        static_cast<unsigned char>(address.prefix));
  }
  NetlinkRequest change_route(std::uint16_t type, unsigned char kind, const GuestAddress& address,
                              const in6_addr& to, unsigned char bits) const {
    rtmsg route{};
    route.rtm_family = static_cast<unsigned char>(address.family);
    route.rtm_dst_len = bits;
    route.rtm_table = RT_TABLE_LOCAL;
    route.rtm_protocol = RTPROT_BOOT;
    route.rtm_scope = kind == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK;
    route.rtm_type = kind;
    NetlinkRequest request(type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0, route);
    request.add(RTA_DST, &to, address.size());
    request.add(RTA_OIF, &index_, sizeof(index_));
    if (address.family == AF_INET) request.add(RTA_PREFSRC, &address.bytes, address.size());
    return request;
  }

  const UniqueFd& netlink_;
  std::string name_;
  unsigned index_;
};

// The device's own addresses, and the usual ones for what it has none of.
std::vector<GuestAddress> wanted_addresses(const std::string& name,
                                           std::vector<GuestAddress>& missing) {
  std::vector<GuestAddress> all = addresses_of(name);
  bool has4 = false;
  bool has6 = false;
  bool has_link_local = false;
  for (const GuestAddress& one : all) {
    has4 = has4 || one.family == AF_INET;
    has6 = has6 || (one.family == AF_INET6 && !is_link_local(one));
    has_link_local = has_link_local || is_link_local(one);
  }
  if (!has4) missing.push_back(parse(AF_INET, guest_gateway4, guest_prefix4));
  if (kernel_has_ipv6()) {
    if (!has_link_local) missing.push_back(parse(AF_INET6, link_local_gateway, link_local_prefix));
    if (!has6) missing.push_back(parse(AF_INET6, guest_gateway6, guest_prefix6));
  }
  all.insert(all.end(), missing.begin(), missing.end());
  return all;
}

}  // namespace

Result<GuestDevice, SetupFault> open_guest_device(const std::string& name) {
  assert(is_device_name(name));
  UniqueFd queue(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!queue) {
    const int error = errno;
    return system_fault("cannot open /dev/net/tun", error,
                        error == EACCES
                            ? "chmod 0666 /dev/net/tun (as udev does it)"
                            : "modprobe tun, and in a container: --device /dev/net/tun");
  }
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(queue.get(), TUNSETIFF, &request) != 0) {
    const int error = errno;
    return system_fault("cannot open the tap device " + name, error,
                        error == EBUSY ? "a virtual machine uses it: start that after this" : "");
  }
  return GuestDevice{name, std::move(queue)};
}

Result<GuestLink, SetupFault> bring_up_guest_device(const std::string& name,
                                                    GuestChanges& changes) {
  changes.device = name;
  // "forwarding" of one device only makes it say that it is a router, without which a guest drops
  // its route to us; that of all devices, which forwards, stays off.
  for (const auto& [setting, value] :
       {std::pair("disable_ipv6", "0"), std::pair("accept_ra", "0"), std::pair("autoconf", "0"),
        std::pair("addr_gen_mode", "1"), std::pair("forwarding", "1")}) {
    write_setting(name, setting, value);
  }
  if (auto up = set_flag_up(name, changes.up); !up) return up.error();
  const auto netlink = open_route_netlink();
  if (!netlink) return netlink.error();
  const Device device(*netlink, name);
  std::vector<GuestAddress> missing;
  const std::vector<GuestAddress> all = wanted_addresses(name, missing);
  for (const GuestAddress& one : missing) {
    if (auto added = device.add_address(one); !added) return added.error();
    changes.addresses.push_back(one);
  }
  GuestLink link;
  for (const GuestAddress& one : all) {
    if (auto added = device.add_routes(one); !added) return added.error();
    changes.routes.push_back(one);
    if (one.family == AF_INET && link.gateway4.s_addr == 0) {
      std::memcpy(&link.gateway4, &one.bytes, sizeof(link.gateway4));
    }
    if (one.family == AF_INET6 && !is_link_local(one)) link.gateway6 = one.bytes;
  }
  return link;
}

void undo(const GuestChanges& changes) noexcept {
  if (changes.device.empty()) return;
  const auto netlink = open_route_netlink();
  if (!netlink) return;
  const Device device(*netlink, changes.device);
  for (const GuestAddress& one : changes.routes)
    device.remove_routes(one);
  for (const GuestAddress& one : changes.addresses)
    device.remove_address(one);
  if (changes.up) set_flag_down(changes.device);
}

std::string describe_guest_device(const std::string& name) {
  const auto with = [](const char* address, unsigned prefix) {
    return std::string(address) + "/" + std::to_string(prefix);
  };
  return "ip tuntap add " + name + " mode tap; ip link set " + name +
         " up\n"
         "ip address add " +
         with(guest_gateway4, guest_prefix4) + " dev " + name + "; ip -6 address add " +
         with(guest_gateway6, guest_prefix6) + " dev " + name +
         "   # where it has none\n"
         "# and its networks in the table local, dev " +
         name +
         "\n"
         "# the guest: " +
         guest_address4 + " and " + guest_address6 + ", gateway and DNS: the addresses above\n";
}

}  // namespace egret
