// One request to the kernel's routing netlink and its answer: addresses and routes without `ip`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// A socket for requests about the current network namespace.
Result<UniqueFd, SetupFault> open_route_netlink();

class NetlinkRequest {
 public:
  // `type` and `flags` of nlmsghdr; the acknowledgement is asked for. `body` is the fixed part that
  // goes with the type (rtmsg, ifaddrmsg, ifinfomsg).
  template <class Body>
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const Body& body)
      : NetlinkRequest(type, flags, &body, sizeof(body)) {}

  void add(unsigned short type, const void* value, std::size_t length);

  // Sends it and waits for the answer: 0, or the kernel's error. `step` is how a fault begins,
  // which is for what went wrong before that.
  Result<int, SetupFault> ask(const UniqueFd& netlink, const std::string& step) const;
  // The same where the kernel's error is a fault too.
  Result<void, SetupFault> send(const UniqueFd& netlink, const std::string& step) const;

 private:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const void* body, std::size_t length);

  std::array<char, 256> bytes_{};
  std::size_t length_ = 0;
};

}  // namespace egret
