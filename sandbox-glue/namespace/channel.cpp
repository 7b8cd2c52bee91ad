#include "sandbox-glue/namespace/channel.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

namespace egret {
namespace {

constexpr char sockets_tag = 'S';
constexpr char fault_tag = 'F';

// First byte, then which families there are and the two ports; the descriptors follow in the order
// of NamespaceSockets, v6 left out where the kernel has none.
struct SocketsMessage {
  char tag = sockets_tag;
  std::uint8_t has_v6 = 0;
  std::uint16_t tcp_port = 0;
  std::uint16_t dns_port = 0;
};

using DescriptorControl = std::array<char, CMSG_SPACE(sizeof(int) * channel_descriptors_max)>;

void take_control(const msghdr& header, ChannelMessage& message) {
  auto* mutable_header = const_cast<msghdr*>(&header);
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(mutable_header, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        message.descriptors.emplace_back(fd);
      }
    } else if (c->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
      message.sender = credentials.pid;
    }
  }
}

}  // namespace

Result<ChannelPair, SetupFault> make_channel() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_fault("cannot create a socket pair", errno);
  }
  ChannelPair pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
  const int on = 1;
  if (::setsockopt(pair.ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return system_fault("cannot ask for the peer's pid", errno);
  }
  return pair;
}

Result<void, SetupFault> send_message(const UniqueFd& channel, std::string_view bytes,
                                      const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) DescriptorControl control{};
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(c), descriptors.data(), sizeof(int) * descriptors.size());
  }
  while (::sendmsg(channel.get(), &header, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return system_fault("cannot write to the sandbox's channel", errno);
  }
  return {};
}

Result<std::optional<ChannelMessage>, SetupFault> receive_message(const UniqueFd& channel) {
  ChannelMessage message;
  message.bytes.resize(channel_message_bytes_max);
  iovec part{message.bytes.data(), message.bytes.size()};
  alignas(cmsghdr) std::array<char, sizeof(DescriptorControl) + CMSG_SPACE(sizeof(ucred))>
      control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t length = -1;
  while ((length = ::recvmsg(channel.get(), &header, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == ECONNRESET) return std::optional<ChannelMessage>();
    if (errno != EINTR) return system_fault("cannot read from the sandbox's channel", errno);
  }
  take_control(header, message);
  if (length == 0) return std::optional<ChannelMessage>();
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return SetupFault{"a message on the sandbox's channel was cut short", {}};
  }
  message.bytes.resize(static_cast<std::size_t>(length));
  return std::optional<ChannelMessage>(std::move(message));
}

Result<void, SetupFault> send_sockets(const UniqueFd& channel, const NamespaceSockets& sockets) {
  SocketsMessage message;
  message.has_v6 = sockets.tcp6 ? 1 : 0;
  message.tcp_port = sockets.tcp_port;
  message.dns_port = sockets.dns_port;
  std::array<char, sizeof(message)> bytes{};
  std::memcpy(bytes.data(), &message, sizeof(message));
  return send_message(channel, {bytes.data(), bytes.size()}, descriptors_of(sockets));
}

void send_fault(const UniqueFd& channel, const SetupFault& fault) noexcept {
  std::string bytes(1, fault_tag);
  bytes.append(fault.what).push_back('\0');
  bytes.append(fault.remedy);
  bytes.resize(std::min(bytes.size(), channel_message_bytes_max));
  // Nobody is left to tell when this fails: the gate then sees the channel close.
  (void)send_message(channel, bytes, {});
}

Result<NamespaceSockets, SetupFault> receive_sockets(const UniqueFd& channel) {
  auto received = receive_message(channel);
  if (!received) return received.error();
  if (!*received) return SetupFault{"the namespace helper ended without a word", {}};
  ChannelMessage& message = **received;
  if (message.bytes.front() == fault_tag) {
    const std::size_t end = std::min(message.bytes.find('\0'), message.bytes.size());
    return SetupFault{message.bytes.substr(1, end - 1),
                      end < message.bytes.size() ? message.bytes.substr(end + 1) : std::string()};
  }
  SocketsMessage head;
  if (message.bytes.size() != sizeof(head)) return SetupFault{"a garbled sockets message", {}};
  std::memcpy(&head, message.bytes.data(), sizeof(head));
  const std::size_t wanted = head.has_v6 != 0 ? 6 : 3;
  if (head.tag != sockets_tag || message.descriptors.size() != wanted) {
    return SetupFault{"a garbled sockets message", {}};
  }
  return std::move(*sockets_from(std::move(message.descriptors), head.tcp_port, head.dns_port));
}

}  // namespace egret
