// Ethernet frames that a guest would send, and what it reads out of those it gets: as little of
// ARP, IPv4, IPv6, UDP and TCP as testing the rules needs.
#pragma once

#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>

namespace egret {

using HardwareAddress = std::array<std::uint8_t, 6>;

// Who speaks, over whom, to whom. Addresses of `family`; an IPv4 one is in the first four bytes.
struct GuestRoute {
  int family = AF_INET;
  HardwareAddress guest_card{};
  HardwareAddress gateway_card{};
  in6_addr guest{};
  in6_addr gateway{};
  in6_addr far{};
};

std::string neighbour_question(const GuestRoute& route);  // ARP, or neighbour discovery
std::string udp_frame(const GuestRoute& route, std::uint16_t source_port, std::uint16_t port,
                      std::string_view payload);

struct TcpSegment {
  std::uint16_t source_port = 0;
  std::uint16_t port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint8_t flags = 0;
};
constexpr std::uint8_t tcp_syn = 0x02;
constexpr std::uint8_t tcp_reset = 0x04;
constexpr std::uint8_t tcp_ack = 0x10;
std::string tcp_frame(const GuestRoute& route, const TcpSegment& segment);

// A frame that came for the guest.
struct HeardFrame {
  bool neighbour_answer = false;
  int protocol = -1;  // IPPROTO_*, when it is IP and not a neighbour's answer
  in6_addr source{};
  std::string payload;  // from the transport's header on
};
std::optional<HeardFrame> read_frame(const GuestRoute& route, std::string_view frame);
std::optional<TcpSegment> read_segment(const HeardFrame& frame);

}  // namespace egret
