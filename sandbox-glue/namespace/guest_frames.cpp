#include "sandbox-glue/namespace/guest_frames.h"

#include <cstring>
#include <net/ethernet.h>

namespace egret {
namespace {

constexpr std::size_t ethernet_bytes = 14;
constexpr std::size_t ipv4_bytes = 20;
constexpr std::size_t ipv6_bytes = 40;
constexpr std::size_t udp_bytes = 8;
constexpr std::size_t tcp_bytes = 20;
constexpr std::size_t arp_bytes = 28;
constexpr unsigned char neighbour_solicitation = 135;
constexpr unsigned char neighbour_advertisement = 136;
constexpr unsigned char hops = 255;  // neighbour discovery is believed with this value only

void put8(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value));
}
void put16(std::string& out, unsigned value) {
  put8(out, value >> 8U);
  put8(out, value);
}
void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16U);
  put16(out, value & 0xffffU);
}
void put(std::string& out, const void* bytes, std::size_t length) {
  out.append(static_cast<const char*>(bytes), length);
}

unsigned get8(std::string_view in, std::size_t at) {
  return static_cast<unsigned char>(in[at]);
}
unsigned get16(std::string_view in, std::size_t at) {
  return get8(in, at) << 8U | get8(in, at + 1);
}
std::uint32_t get32(std::string_view in, std::size_t at) {
  return get16(in, at) << 16U | get16(in, at + 2);
}

std::size_t address_bytes(const GuestRoute& route) {
  return route.family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
}

// RFC 1071.
std::uint16_t checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += get8(bytes, i) << (i % 2 == 0 ? 8U : 0U);
  while (sum > 0xffffU)
    sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

void place16(std::string& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<char>(value >> 8U);
  bytes[at + 1] = static_cast<char>(value & 0xffU);
}

std::string ethernet_header(const GuestRoute& route, unsigned type) {
  std::string frame;
  put(frame, route.gateway_card.data(), route.gateway_card.size());
  put(frame, route.guest_card.data(), route.guest_card.size());
  put16(frame, type);
  return frame;
}

// `checksum_at`: where in the payload the transport keeps its checksum, zero so far.
std::string ip_frame(const GuestRoute& route, unsigned protocol, const in6_addr& to,
                     std::string payload, std::size_t checksum_at) {
  std::string pseudo;
  put(pseudo, &route.guest, address_bytes(route));
  put(pseudo, &to, address_bytes(route));
  put32(pseudo, static_cast<std::uint32_t>(payload.size()));  // both families sum up alike
  put32(pseudo, protocol);
  place16(payload, checksum_at, checksum(pseudo + payload));

  std::string header;
  const bool v4 = route.family == AF_INET;
  if (v4) {
    put16(header, 0x4500);
    put16(header, static_cast<unsigned>(ipv4_bytes + payload.size()));
    put32(header, 0);
    put8(header, hops);
    put8(header, protocol);
    put16(header, 0);
  } else {
    put32(header, 0x60000000U);
    put16(header, static_cast<unsigned>(payload.size()));
    put8(header, protocol);
    put8(header, hops);
  }
  put(header, &route.guest, address_bytes(route));
  put(header, &to, address_bytes(route));
  if (v4) place16(header, 10, checksum(header));
  return ethernet_header(route, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6) + header + payload;
}

}  // namespace

std::string neighbour_question(const GuestRoute& route) {
  if (route.family == AF_INET) {
    std::string frame = ethernet_header(route, ETHERTYPE_ARP);
    put32(frame, 0x00010800);  // Ethernet, IPv4
    put32(frame, 0x06040001);  // six bytes for four, a request
    put(frame, route.guest_card.data(), route.guest_card.size());
    put(frame, &route.guest, sizeof(in_addr));
    frame.append(route.guest_card.size(), '\0');
    put(frame, &route.gateway, sizeof(in_addr));
    return frame;
  }
  std::string message;
  put8(message, neighbour_solicitation);
  put8(message, 0);
  put16(message, 0);
  put32(message, 0);
  put(message, &route.gateway, sizeof(in6_addr));
  put16(message, 0x0101);  // option: my own hardware address, eight bytes in all
  put(message, route.guest_card.data(), route.guest_card.size());
  return ip_frame(route, IPPROTO_ICMPV6, route.gateway, std::move(message), 2);
}

std::string udp_frame(const GuestRoute& route, std::uint16_t source_port, std::uint16_t port,
                      std::string_view payload) {
  std::string datagram;
  put16(datagram, source_port);
  put16(datagram, port);
  put16(datagram, static_cast<unsigned>(udp_bytes + payload.size()));
  put16(datagram, 0);
  datagram.append(payload);
  return ip_frame(route, IPPROTO_UDP, route.far, std::move(datagram), 6);
}

std::string tcp_frame(const GuestRoute& route, const TcpSegment& segment) {
  constexpr unsigned window = 4096;
  std::string bytes;
  put16(bytes, segment.source_port);
  put16(bytes, segment.port);
  put32(bytes, segment.sequence);
  put32(bytes, segment.acknowledged);
  put8(bytes, (tcp_bytes / 4) << 4U);
  put8(bytes, segment.flags);
  put16(bytes, window);
  put32(bytes, 0);
  return ip_frame(route, IPPROTO_TCP, route.far, std::move(bytes), 16);
}

std::optional<HeardFrame> read_frame(const GuestRoute& route, std::string_view frame) {
  if (frame.size() < ethernet_bytes) return {};
  const unsigned type = get16(frame, ethernet_bytes - 2);
  const std::string_view packet = frame.substr(ethernet_bytes);
  HeardFrame heard;
  if (route.family == AF_INET && type == ETHERTYPE_ARP && packet.size() >= arp_bytes) {
    heard.neighbour_answer =
        get16(packet, 6) == 2 && std::memcmp(packet.data() + 14, &route.gateway, 4) == 0;
    return heard;
  }
  const bool v4 = type == ETHERTYPE_IP;
  if (v4 != (route.family == AF_INET) || (!v4 && type != ETHERTYPE_IPV6)) return {};
  if (packet.size() < (v4 ? ipv4_bytes : ipv6_bytes)) return {};
  const std::size_t header = v4 ? (get8(packet, 0) & 0x0fU) * 4 : ipv6_bytes;
  if (packet.size() < header) return {};
  heard.protocol = static_cast<int>(get8(packet, v4 ? 9 : 6));
  std::memcpy(&heard.source, packet.data() + (v4 ? 12 : 8), address_bytes(route));
  heard.payload = packet.substr(header);
  heard.neighbour_answer = !v4 && heard.protocol == IPPROTO_ICMPV6 && !heard.payload.empty() &&
                           get8(heard.payload, 0) == neighbour_advertisement;
  return heard;
}

std::optional<TcpSegment> read_segment(const HeardFrame& frame) {
  if (frame.protocol != IPPROTO_TCP || frame.payload.size() < tcp_bytes) return {};
  TcpSegment segment;
  segment.source_port = static_cast<std::uint16_t>(get16(frame.payload, 0));
  segment.port = static_cast<std::uint16_t>(get16(frame.payload, 2));
  segment.sequence = get32(frame.payload, 4);
  segment.acknowledged = get32(frame.payload, 8);
  segment.flags = static_cast<std::uint8_t>(get8(frame.payload, 13));
  return segment;
}

}  // namespace egret
