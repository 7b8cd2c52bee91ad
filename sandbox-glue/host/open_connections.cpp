#include "sandbox-glue/host/open_connections.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "policy/unique_fd.h"
#include "sandbox-glue/host/confined_user.h"

namespace egret {
namespace {

constexpr std::uint32_t every_state = 0xfff;
constexpr std::uint32_t connected =
    every_state & ~((1U << TCP_LISTEN) | (1U << TCP_TIME_WAIT) | (1U << TCP_CLOSE));

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

Request make_request(std::uint16_t type, std::uint16_t flags, int family) {
  Request request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  request.body.sdiag_family = static_cast<std::uint8_t>(family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = connected;
  return request;
}

const char* body_of(const nlmsghdr* message) {
  return reinterpret_cast<const char*>(message) + NLMSG_HDRLEN;
}

// Sends the request and gives every socket of the answer to `each`. Returns 0 or the error that the
// kernel answered.
template <class Each>
int ask(const UniqueFd& netlink, const Request& request, Each&& each) {
  if (::send(netlink.get(), &request, sizeof request, 0) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 32768> buffer{};
  while (true) {
    const ssize_t got = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    auto left = static_cast<unsigned>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        nlmsgerr error{};
        std::memcpy(&error, body_of(message), sizeof error);
        return -error.error;
      }
      if (message->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) continue;
      inet_diag_msg one{};
      std::memcpy(&one, body_of(message), sizeof one);
      each(one);
    }
  }
}

}  // namespace

Result<unsigned, SetupFault> abort_connections(const std::vector<UidRange>& uids) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return system_fault("cannot look for open connections", errno);
  std::vector<Request> aborts;
  for (const int family : {AF_INET, AF_INET6}) {
    const Request dump = make_request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);
    const int error = ask(netlink, dump, [&](const inet_diag_msg& one) {
      if (!contains(uids, one.idiag_uid)) return;
      aborts.push_back(make_request(SOCK_DESTROY, NLM_F_ACK, family));
      aborts.back().body.id = one.id;
    });
    // A kernel without IPv6 knows no such sockets.
    if (error != 0 && !(family == AF_INET6 && error == ENOENT)) {
      return system_fault("cannot look for open connections", error);
    }
  }
  unsigned aborted = 0;
  for (const Request& abort : aborts) {
    const int error = ask(netlink, abort, [](const inet_diag_msg&) {});
    if (error == 0) ++aborted;
    if (error != 0 && error != ENOENT) {  // ENOENT: it ended by itself
      return system_fault("cannot abort open connections", error,
                          "a kernel with CONFIG_INET_DIAG_DESTROY");
    }
  }
  return aborted;
}

}  // namespace egret
