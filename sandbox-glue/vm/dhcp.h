// DHCP for exactly one guest and one address (RFC 2131): octets in, octets out. The caller owns the
// socket; every answer goes to the whole wire, where nobody else is.
#pragma once

#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>

namespace egret {

constexpr std::size_t dhcp_message_bytes_max = 1500;

enum class DhcpKind : std::uint8_t {
  Discover = 1,
  Offer = 2,
  Request = 3,
  Ack = 5,
  Nak = 6,
};

struct DhcpQuestion {
  DhcpKind kind = DhcpKind::Discover;  // Discover or Request
  std::uint32_t transaction = 0;
  std::uint16_t flags = 0;
  std::array<std::uint8_t, 6> card{};
  in_addr current{};                 // the address it says it has; 0.0.0.0 for none
  std::optional<in_addr> requested;  // option 50
  std::optional<in_addr> server;     // option 54: whose offer it takes
};

struct DhcpLease {
  in_addr address{};
  in_addr gateway{};  // the server, the router and the resolver in one
  unsigned prefix = 0;
};

// Nothing for what is not a well-formed question of an Ethernet client that has to be answered: a
// wrong length, an option past the end, twice or of the wrong size, or any other kind of message.
std::optional<DhcpQuestion> read_dhcp(std::string_view datagram);

// An offer, an acknowledgement, or a refusal where it asks for another address. Nothing where it
// takes another server's offer.
std::optional<std::string> answer_dhcp(const DhcpQuestion& question, const DhcpLease& lease);

}  // namespace egret
