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

// An address on the device, of either family, and its network's size.
struct Address {
  int family = AF_INET;
  in6_addr bytes{};  // an IPv4 address in the first four
  unsigned prefix = 0;

  std::size_t size() const { return family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr); }
};

Address parse(int family, const char* text, unsigned prefix) {
  Address address{family, {}, prefix};
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

in6_addr network_of(const Address& address) {
  in6_addr network = address.bytes;
  for (unsigned bit = address.prefix; bit < address.size() * 8; ++bit) {
    const unsigned kept = 0xffU ^ (0x80U >> (bit % 8));
    network.s6_addr[bit / 8] = static_cast<std::uint8_t>(network.s6_addr[bit / 8] & kept);
  }
  return network;
}

std::vector<Address> addresses_of(const std::string& device) {
  ifaddrs* head = nullptr;
  if (::getifaddrs(&head) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(head, &::freeifaddrs);
  std::vector<Address> found;
  for (const ifaddrs* one = head; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_netmask == nullptr || device != one->ifa_name)
      continue;
    Address address{one->ifa_addr->sa_family, {}, prefix_of(*one->ifa_netmask)};
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

bool is_link_local(const Address& address) {
  return address.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address.bytes);
}

// What is not written here stays as the kernel has it; then the addresses below fail or are
// refused, which shows.
void write_setting(const std::string& device, const char* name, const char* value) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + device + "/" + name;
  UniqueFd setting(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (setting) (void)!::write(setting.get(), value, std::strlen(value));
}

Result<void, SetupFault> set_up(const std::string& device) {
  UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!any || ::ioctl(any.get(), SIOCGIFFLAGS, &request) != 0) {
    return system_fault("cannot find the device " + device, errno);
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) {
    return system_fault("cannot bring up the device " + device, errno);
  }
  return {};
}

class Device {
 public:
  Device(const UniqueFd& netlink, std::string name)
      : netlink_(netlink), name_(std::move(name)), index_(::if_nametoindex(name_.c_str())) {}

  Result<void, SetupFault> add_address(const Address& address) const {
    ifaddrmsg about{};
    about.ifa_family = static_cast<unsigned char>(address.family);
    about.ifa_prefixlen = static_cast<unsigned char>(address.prefix);
    about.ifa_flags = IFA_F_NODAD;  // there is nobody else on the wire to ask
    about.ifa_index = index_;
    NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, about);
    request.add(IFA_LOCAL, &address.bytes, address.size());
    request.add(IFA_ADDRESS, &address.bytes, address.size());
    return request.send(netlink_, "cannot give " + name_ + " its address");
  }

  // In the table that is looked at first, where a longer prefix beats "everything is local".
  Result<void, SetupFault> route_network(const Address& address) const {
    return add_route(RTN_UNICAST, RT_SCOPE_LINK, network_of(address), address);
  }

  // The kernel does the same for an IPv6 address some time later, and until then the route above
  // would send away what is for the gateway itself.
  Result<void, SetupFault> route_self(const Address& address) const {
    Address self = address;
    self.prefix = static_cast<unsigned>(address.size() * 8);
    return add_route(RTN_LOCAL, RT_SCOPE_HOST, self.bytes, self);
  }

 private:
  Result<void, SetupFault> add_route(unsigned char type, unsigned char scope, const in6_addr& to,
                                     const Address& address) const {
    rtmsg route{};
    route.rtm_family = static_cast<unsigned char>(address.family);
    route.rtm_dst_len = static_cast<unsigned char>(address.prefix);
    route.rtm_table = RT_TABLE_LOCAL;
    route.rtm_protocol = RTPROT_BOOT;
    route.rtm_scope = scope;
    route.rtm_type = type;
    NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
    request.add(RTA_DST, &to, address.size());
    request.add(RTA_OIF, &index_, sizeof(index_));
    if (address.family == AF_INET) request.add(RTA_PREFSRC, &address.bytes, address.size());
    return request.send(netlink_, "cannot route the guest's network to " + name_);
  }

  const UniqueFd& netlink_;
  std::string name_;
  unsigned index_;
};

// The device's own addresses, and the usual ones for what it has none of.
std::vector<Address> wanted_addresses(const std::string& name, std::vector<Address>& missing) {
  std::vector<Address> all = addresses_of(name);
  bool has4 = false;
  bool has6 = false;
  bool has_link_local = false;
  for (const Address& one : all) {
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

Result<GuestLink, SetupFault> bring_up_guest_device(const std::string& name) {
  // "forwarding" of one device only makes it say that it is a router, without which a guest drops
  // its route to us; that of all devices, which forwards, stays off.
  for (const auto& [setting, value] :
       {std::pair("disable_ipv6", "0"), std::pair("accept_ra", "0"), std::pair("autoconf", "0"),
        std::pair("addr_gen_mode", "1"), std::pair("forwarding", "1")}) {
    write_setting(name, setting, value);
  }
  if (auto up = set_up(name); !up) return up.error();
  const auto netlink = open_route_netlink();
  if (!netlink) return netlink.error();
  const Device device(*netlink, name);
  std::vector<Address> missing;
  const std::vector<Address> all = wanted_addresses(name, missing);
  for (const Address& one : missing) {
    if (auto added = device.add_address(one); !added) return added.error();
  }
  GuestLink link;
  for (const Address& one : all) {
    if (one.family == AF_INET6) {
      if (auto added = device.route_self(one); !added) return added.error();
    }
    if (auto added = device.route_network(one); !added) return added.error();
    if (one.family == AF_INET && link.gateway4.s_addr == 0) {
      std::memcpy(&link.gateway4, &one.bytes, sizeof(link.gateway4));
    }
    if (one.family == AF_INET6 && !is_link_local(one)) link.gateway6 = one.bytes;
  }
  return link;
}

std::string describe_guest_device(const std::string& name) {
  const std::string net4 = guest_gateway4 + ("/" + std::to_string(guest_prefix4));
  const std::string net6 = guest_gateway6 + ("/" + std::to_string(guest_prefix6));
  return "ip tuntap add " + name + " mode tap; ip link set " + name + " up\n" + "ip address add " +
         net4 + " dev " + name + "; ip -6 address add " + net6 + " dev " + name +
         "\nip route add table local " + net4 + " dev " + name + "; ip -6 route add table local " +
         net6 + " dev " + name + "\n# the guest: " + guest_address4 + " and " + guest_address6 +
         ", gateway and DNS: the addresses above\n";
}

}  // namespace egret
