#include "sandbox-glue/namespace/netlink.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace egret {

Result<UniqueFd, SetupFault> open_route_netlink() {
  UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink) return system_fault("cannot open a netlink socket", errno);
  return netlink;
}

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags, const void* body,
                               std::size_t length) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  std::memcpy(bytes_.data(), &header, sizeof(header));
  std::memcpy(bytes_.data() + NLMSG_HDRLEN, body, length);
  length_ = NLMSG_LENGTH(length);
}

void NetlinkRequest::add(unsigned short type, const void* value, std::size_t length) {
  const std::size_t at = NLMSG_ALIGN(length_);
  rtattr attribute{};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(length));
  assert(at + RTA_ALIGN(attribute.rta_len) <= bytes_.size());
  std::memcpy(bytes_.data() + at, &attribute, sizeof(attribute));
  std::memcpy(bytes_.data() + at + RTA_LENGTH(0), value, length);
  length_ = at + RTA_ALIGN(attribute.rta_len);
}

Result<int, SetupFault> NetlinkRequest::ask(const UniqueFd& netlink,
                                            const std::string& step) const {
  auto bytes = bytes_;
  const auto length = static_cast<std::uint32_t>(length_);
  std::memcpy(bytes.data(), &length, sizeof(length));  // nlmsg_len comes first
  if (::send(netlink.get(), bytes.data(), length, 0) < 0) return system_fault(step, errno);
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> rest;
  } answer{};
  const ssize_t got = ::recv(netlink.get(), &answer, sizeof(answer), 0);
  if (got < 0) return system_fault(step, errno);
  constexpr auto needed = static_cast<ssize_t>(NLMSG_LENGTH(sizeof(answer.error.error)));
  if (got < needed || answer.header.nlmsg_type != NLMSG_ERROR) {
    return SetupFault{step + ": an unexpected netlink answer", {}};
  }
  return -answer.error.error;
}

Result<void, SetupFault> NetlinkRequest::send(const UniqueFd& netlink,
                                              const std::string& step) const {
  const auto answered = ask(netlink, step);
  if (!answered) return answered.error();
  if (*answered != 0) return system_fault(step, *answered);
  return {};
}

}  // namespace egret
