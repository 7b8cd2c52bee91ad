// The namespace's end of a guest's network card: a tap device, its addresses and its routes.
#pragma once

#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// What a guest is given where nobody has chosen otherwise, and what `egret run --vm` tells it.
constexpr const char* guest_gateway4 = "10.107.0.1";
constexpr const char* guest_address4 = "10.107.0.2";
constexpr unsigned guest_prefix4 = 30;
constexpr const char* guest_gateway6 = "fd65:6772:6574:1::1";
constexpr const char* guest_address6 = "fd65:6772:6574:1::2";
constexpr unsigned guest_prefix6 = 64;

struct GuestDevice {
  std::string name;  // is_device_name()
  UniqueFd queue;    // Ethernet frames: a write is the guest sending, a read what it gets
};

// An address on the device, of either family, and its network's size.
struct GuestAddress {
  int family = AF_INET;
  in6_addr bytes{};  // an IPv4 address in the first four
  unsigned prefix = 0;

  std::size_t size() const { return family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr); }
};

// The addresses that the namespace has on the device: the guest's gateway.
struct GuestLink {
  in_addr gateway4{};
  in6_addr gateway6{};  // unspecified where the kernel has no IPv6
};

// Makes the tap device `name` in the current network namespace, or opens one that is there and that
// nothing has open yet. REQUIRES: CAP_NET_ADMIN over the namespace; is_device_name(name).
Result<GuestDevice, SetupFault> open_guest_device(const std::string& name);

// What bring_up_guest_device() changed, so that it can be taken back.
struct GuestChanges {
  std::string device;  // empty: nothing
  bool up = false;
  std::vector<GuestAddress> addresses;
  std::vector<GuestAddress> routes;
};
void undo(const GuestChanges& changes) noexcept;

// Brings the device up with the addresses it has, or the ones above where it has none, and routes
// their networks to it ahead of the routes that make every address local. Whatever the guest
// announces about itself as a router is not listened to.
Result<GuestLink, SetupFault> bring_up_guest_device(const std::string& name, GuestChanges& changes);

// The same as text for people, for a device that has no addresses yet.
std::string describe_guest_device(const std::string& name);

}  // namespace egret
