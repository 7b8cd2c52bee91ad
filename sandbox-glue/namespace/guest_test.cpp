#include "sandbox-glue/namespace/guest_test.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <functional>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox-glue/namespace/guest_frames.h"
#include "sandbox-glue/namespace/original_destination.h"

namespace egret {
namespace {

constexpr int probe_timeout_ms = 2000;
constexpr std::uint16_t discard_port = 9;
constexpr std::uint16_t dns_port = 53;
constexpr std::uint16_t quic_port = 443;
constexpr std::uint16_t first_own_port = 40000;
constexpr std::uint32_t first_sequence = 1000;
constexpr std::size_t frame_bytes_max = 2048;
constexpr HardwareAddress probe_card{0x52, 0x54, 0x00, 0x65, 0x67, 0x72};

// "Destination unreachable, administratively prohibited", type and code: a wall that is not there
// would let the kernel say something else.
constexpr std::string_view refused_v4{"\x03\x0d", 2};
constexpr std::string_view refused_v6{"\x01\x01", 2};

bool readable(int descriptor) {
  pollfd wait{descriptor, POLLIN, 0};
  int ready = -1;
  while ((ready = ::poll(&wait, 1, probe_timeout_ms)) < 0 && errno == EINTR) {
  }
  return ready == 1 && (wait.revents & POLLIN) != 0;
}

// One family's guest at the device. Frames of the kernel's own (its routine announcements) pass by.
class Probe {
 public:
  Probe(const UniqueFd& queue, const GuestRoute& route) : queue_(queue), route_(route) {}

  Result<void, SetupFault> run(const UniqueFd& tcp, const UniqueFd& dns_udp,
                               const UniqueFd& dns_tcp) {
    if (!gateway_answers()) return leak("the gateway is not found");
    if (!datagram_refused()) return leak("datagrams are not refused");
    if (!question_answered(dns_udp)) return leak("DNS over UDP is not captured");
    if (!connection_arrives(discard_port, tcp)) return leak("TCP is not captured");
    if (!connection_arrives(dns_port, dns_tcp)) return leak("DNS over TCP is not captured");
    return {};
  }

 private:
  SetupFault leak(const char* what) const {
    return {std::string("the rules do not hold for the guest: ") +
                (route_.family == AF_INET ? "IPv4 " : "IPv6 ") + what,
            "nft list ruleset, and the modules nft_chain_nat, nft_redir and nft_reject_inet"};
  }

  bool send(const std::string& frame) const {
    return ::write(queue_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
  }

  std::optional<HeardFrame> hear(const std::function<bool(const HeardFrame&)>& wanted) const {
    constexpr int frames_max = 64;
    std::string frame(frame_bytes_max, '\0');
    for (int seen = 0; seen < frames_max && readable(queue_.get()); ++seen) {
      const ssize_t length = ::read(queue_.get(), frame.data(), frame.size());
      if (length <= 0) return {};
      auto heard = read_frame(route_, {frame.data(), static_cast<std::size_t>(length)});
      if (heard && wanted(*heard)) return heard;
    }
    return {};
  }

  bool from_far(const HeardFrame& heard) const {
    return std::memcmp(&heard.source, &route_.far, sizeof(route_.far)) == 0;
  }

  bool gateway_answers() const {
    return send(neighbour_question(route_)) &&
           hear([](const HeardFrame& heard) { return heard.neighbour_answer; });
  }

  bool datagram_refused() {
    const bool v4 = route_.family == AF_INET;
    return send(udp_frame(route_, ++own_port_, quic_port, "e")) &&
           hear([&](const HeardFrame& heard) {
             return heard.protocol == (v4 ? +IPPROTO_ICMP : +IPPROTO_ICMPV6) &&
                    heard.payload.starts_with(v4 ? refused_v4 : refused_v6);
           });
  }

  // What the gate would answer leaves by the same socket, and comes from whom the guest asked.
  bool question_answered(const UniqueFd& receiver) {
    if (!send(udp_frame(route_, ++own_port_, dns_port, "e"))) return false;
    char probe = 0;
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    if (!readable(receiver.get()) ||
        ::recvfrom(receiver.get(), &probe, 1, 0, reinterpret_cast<sockaddr*>(&peer), &length) !=
            1 ||
        ::sendto(receiver.get(), &probe, 1, 0, reinterpret_cast<sockaddr*>(&peer), length) != 1) {
      return false;
    }
    return static_cast<bool>(hear(
        [&](const HeardFrame& heard) { return heard.protocol == IPPROTO_UDP && from_far(heard); }));
  }

  bool connection_arrives(std::uint16_t port, const UniqueFd& listener) {
    TcpSegment mine{++own_port_, port, first_sequence, 0, tcp_syn};
    if (!send(tcp_frame(route_, mine))) return false;
    const auto answer = hear([&](const HeardFrame& heard) {
      const auto segment = read_segment(heard);
      return segment && from_far(heard) && segment->port == mine.source_port &&
             segment->flags == (tcp_syn | tcp_ack);
    });
    if (!answer) return false;
    mine.sequence = first_sequence + 1;
    mine.acknowledged = read_segment(*answer)->sequence + 1;
    mine.flags = tcp_ack;
    if (!send(tcp_frame(route_, mine)) || !readable(listener.get())) return false;
    const UniqueFd accepted(
        ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const bool arrived = accepted && dialled(accepted.get(), port);
    mine.flags = tcp_reset | tcp_ack;
    return send(tcp_frame(route_, mine)) && arrived;
  }

  bool dialled(int accepted, std::uint16_t port) const {
    const auto original = original_destination(accepted);
    if (!original || original->ss_family != route_.family) return false;
    if (route_.family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(*original);
      return ntohs(v4.sin_port) == port &&
             std::memcmp(&v4.sin_addr, &route_.far, sizeof(v4.sin_addr)) == 0;
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(*original);
    return ntohs(v6.sin6_port) == port &&
           std::memcmp(&v6.sin6_addr, &route_.far, sizeof(v6.sin6_addr)) == 0;
  }

  const UniqueFd& queue_;
  GuestRoute route_;
  std::uint16_t own_port_ = first_own_port;
};

Result<HardwareAddress, SetupFault> hardware_address(const std::string& device) {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!any || ::ioctl(any.get(), SIOCGIFHWADDR, &request) != 0) {
    return system_fault("cannot read the hardware address of " + device, errno);
  }
  HardwareAddress address{};
  std::memcpy(address.data(), request.ifr_hwaddr.sa_data, address.size());
  return address;
}

// Another host of the gateway's network, the guest's own place in the usual one.
in6_addr neighbour_of(const void* gateway, std::size_t bytes) {
  in6_addr address{};
  std::memcpy(&address, gateway, bytes);
  address.s6_addr[bytes - 1] = static_cast<std::uint8_t>(address.s6_addr[bytes - 1] ^ 3U);
  return address;
}

}  // namespace

Result<void, SetupFault> test_guest_device(const GuestDevice& device, const GuestLink& link,
                                           const NamespaceSockets& sockets) {
  const auto card = hardware_address(device.name);
  if (!card) return card.error();
  GuestRoute v4{AF_INET, probe_card, *card, {}, {}, {}};
  std::memcpy(&v4.gateway, &link.gateway4, sizeof(link.gateway4));
  v4.guest = neighbour_of(&link.gateway4, sizeof(link.gateway4));
  ::inet_pton(AF_INET, "192.0.2.1", &v4.far);
  auto proved = Probe(device.queue, v4).run(sockets.tcp4, sockets.dns_udp4, sockets.dns_tcp4);
  if (!proved || !sockets.tcp6) return proved;
  GuestRoute v6{AF_INET6, probe_card, *card, {}, link.gateway6, {}};
  v6.guest = neighbour_of(&link.gateway6, sizeof(link.gateway6));
  ::inet_pton(AF_INET6, "2001:db8::1", &v6.far);
  return Probe(device.queue, v6).run(sockets.tcp6, sockets.dns_udp6, sockets.dns_tcp6);
}

}  // namespace egret
