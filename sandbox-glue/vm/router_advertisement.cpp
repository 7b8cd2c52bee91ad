#include "sandbox-glue/vm/router_advertisement.h"

#include <cstring>
#include <netinet/icmp6.h>

namespace egret {
namespace {

constexpr std::uint16_t router_lifetime_s = 9000;  // the most that RFC 4861 allows
constexpr std::uint32_t for_ever = 0xffffffffU;
constexpr std::uint8_t hop_limit = 64;
constexpr std::uint8_t prefix_bits = 64;
constexpr std::uint8_t resolver_option = 25;

// RFC 8106, which <netinet/icmp6.h> does not have; lengths count eight octets.
struct ResolverOption {
  std::uint8_t type = resolver_option;
  std::uint8_t length = 3;
  std::uint16_t reserved = 0;
  std::uint32_t lifetime = for_ever;
  in6_addr address{};
};

template <class Part>
void put(std::string& out, const Part& part) {
  out.append(reinterpret_cast<const char*>(&part), sizeof(part));
}

}  // namespace

std::string router_advertisement(const in6_addr& gateway) {
  nd_router_advert head{};
  head.nd_ra_type = ND_ROUTER_ADVERT;
  head.nd_ra_curhoplimit = hop_limit;
  head.nd_ra_router_lifetime = htons(router_lifetime_s);
  nd_opt_prefix_info prefix{};
  prefix.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION;
  prefix.nd_opt_pi_len = 4;
  prefix.nd_opt_pi_prefix_len = prefix_bits;
  prefix.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO;
  prefix.nd_opt_pi_valid_time = for_ever;
  prefix.nd_opt_pi_preferred_time = for_ever;
  std::memcpy(&prefix.nd_opt_pi_prefix, &gateway, prefix_bits / 8);
  ResolverOption resolver;
  resolver.address = gateway;
  std::string message;
  put(message, head);
  put(message, prefix);
  put(message, resolver);
  return message;
}

}  // namespace egret
