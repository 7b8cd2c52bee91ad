#include "policy/target/address_class.h"

#include <algorithm>
#include <array>

namespace egret {
namespace {

struct V4Range {
  std::uint32_t base;
  int prefix_bits;
  AddressClass address_class;
};

constexpr std::uint32_t v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// Longest prefix first: the first row that holds the address decides.
constexpr V4Range v4_ranges[] = {
    {v4(169, 254, 169, 254), 32, AddressClass::metadata},  // AWS, GCP, Azure, OpenStack, …
    {v4(169, 254, 170, 2), 32, AddressClass::metadata},    // AWS ECS task credentials
    {v4(169, 254, 170, 23), 32, AddressClass::metadata},   // AWS EKS pod identity
    {v4(169, 254, 42, 42), 32, AddressClass::metadata},    // Scaleway
    {v4(169, 254, 0, 23), 32, AddressClass::metadata},     // Tencent
    {v4(100, 100, 100, 200), 32, AddressClass::metadata},  // Alibaba
    {v4(192, 0, 0, 192), 32, AddressClass::metadata},      // Oracle
    {v4(168, 63, 129, 16), 32, AddressClass::metadata},    // Azure wire server, in public space
    {v4(0, 0, 0, 0), 32, AddressClass::unspecified},
    {v4(192, 0, 0, 0), 24, AddressClass::reserved},
    {v4(192, 0, 2, 0), 24, AddressClass::documentation},
    {v4(192, 88, 99, 0), 24, AddressClass::reserved},
    {v4(198, 51, 100, 0), 24, AddressClass::documentation},
    {v4(203, 0, 113, 0), 24, AddressClass::documentation},
    {v4(169, 254, 0, 0), 16, AddressClass::link_local},
    {v4(192, 168, 0, 0), 16, AddressClass::private_use},
    {v4(198, 18, 0, 0), 15, AddressClass::documentation},
    {v4(172, 16, 0, 0), 12, AddressClass::private_use},
    {v4(100, 64, 0, 0), 10, AddressClass::private_use},
    {v4(0, 0, 0, 0), 8, AddressClass::reserved},
    {v4(10, 0, 0, 0), 8, AddressClass::private_use},
    {v4(127, 0, 0, 0), 8, AddressClass::loopback},
    {v4(224, 0, 0, 0), 4, AddressClass::multicast},
    {v4(240, 0, 0, 0), 4, AddressClass::reserved},
};

struct V6Range {
  std::array<std::uint16_t, 8> base;
  int prefix_bits;
  AddressClass address_class;
};

constexpr V6Range v6_ranges[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0}, 128, AddressClass::unspecified},
    {{0, 0, 0, 0, 0, 0, 0, 1}, 128, AddressClass::loopback},
    {{0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254}, 128, AddressClass::metadata},   // AWS
    {{0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x23}, 128, AddressClass::metadata},    // AWS EKS pod identity
    {{0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254}, 128, AddressClass::metadata},   // GCP
    {{0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x42}, 128, AddressClass::metadata},    // Scaleway
    {{0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe}, 128, AddressClass::metadata},  // OpenStack
    {{0x0064, 0xff9b, 0, 0, 0, 0, 0, 0}, 96, AddressClass::reserved},        // NAT64
    {{0x0100, 0, 0, 0, 0, 0, 0, 0}, 64, AddressClass::reserved},             // discard
    {{0x0064, 0xff9b, 1, 0, 0, 0, 0, 0}, 48, AddressClass::reserved},        // local NAT64
    {{0x2001, 0x0db8, 0, 0, 0, 0, 0, 0}, 32, AddressClass::documentation},
    {{0x2001, 0, 0, 0, 0, 0, 0, 0}, 23, AddressClass::reserved},  // IETF, Teredo among them
    {{0x3fff, 0, 0, 0, 0, 0, 0, 0}, 20, AddressClass::documentation},
    {{0x2002, 0, 0, 0, 0, 0, 0, 0}, 16, AddressClass::reserved},  // 6to4
    {{0x5f00, 0, 0, 0, 0, 0, 0, 0}, 16, AddressClass::reserved},  // SRv6
    {{0xfe80, 0, 0, 0, 0, 0, 0, 0}, 10, AddressClass::link_local},
    {{0xfec0, 0, 0, 0, 0, 0, 0, 0}, 10, AddressClass::reserved},  // site-local, deprecated
    {{0xff00, 0, 0, 0, 0, 0, 0, 0}, 8, AddressClass::multicast},
    {{0xfc00, 0, 0, 0, 0, 0, 0, 0}, 7, AddressClass::private_use},
    {{0x2000, 0, 0, 0, 0, 0, 0, 0}, 3, AddressClass::global},
};

AddressClass classify_v4(std::uint32_t address) {
  for (const V4Range& range : v4_ranges) {
    if ((address ^ range.base) >> (32 - range.prefix_bits) == 0) return range.address_class;
  }
  return AddressClass::global;
}

bool in_range(const IpAddress::Bytes& bytes, const V6Range& range) {
  for (std::size_t i = 0; i < 8; ++i) {
    const int kept = std::clamp(range.prefix_bits - static_cast<int>(16 * i), 0, 16);
    const unsigned group = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    if ((group ^ range.base[i]) >> (16 - kept) != 0) return false;
  }
  return true;
}

std::uint32_t v4_at(const IpAddress::Bytes& bytes, std::size_t offset) {
  return v4(bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]);
}

// A translator's address for a metadata service is that metadata service, so that opening the
// translator's range does not open it.
bool translates_to_metadata(const IpAddress::Bytes& bytes) {
  const bool nat64 = bytes[0] == 0 && bytes[1] == 0x64 && bytes[2] == 0xff && bytes[3] == 0x9b;
  const bool six_to_four = bytes[0] == 0x20 && bytes[1] == 0x02;
  return (nat64 && classify_v4(v4_at(bytes, 12)) == AddressClass::metadata) ||
         (six_to_four && classify_v4(v4_at(bytes, 2)) == AddressClass::metadata);
}

// RFC 5214: an interface identifier of 0000:5efe or 0200:5efe carries an IPv4 address.
bool is_isatap(const IpAddress::Bytes& bytes) {
  return (bytes[8] == 0 || bytes[8] == 2) && bytes[9] == 0 && bytes[10] == 0x5e &&
         bytes[11] == 0xfe;
}

AddressClass classify_v6(const IpAddress::Bytes& bytes) {
  if (translates_to_metadata(bytes)) return AddressClass::metadata;
  for (const V6Range& range : v6_ranges) {
    if (!in_range(bytes, range)) continue;
    if (range.address_class == AddressClass::global && is_isatap(bytes)) break;
    return range.address_class;
  }
  return AddressClass::reserved;
}

}  // namespace

AddressClass classify(const IpAddress& address) {
  const IpAddress inner = unwrapped(address);
  return inner.is_v4() ? classify_v4(v4_at(inner.bytes(), 0)) : classify_v6(inner.bytes());
}

IpAddress unwrapped(const IpAddress& address) {
  if (address.is_v4()) return address;
  const IpAddress::Bytes& bytes = address.bytes();
  if (!std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; }))
    return address;
  const std::uint32_t inner = v4_at(bytes, 12);
  const bool mapped = bytes[10] == 0xff && bytes[11] == 0xff;
  // `::` and `::1` lie in the compatible range but are addresses of their own.
  const bool compatible = bytes[10] == 0 && bytes[11] == 0 && inner > 1;
  return mapped || compatible ? IpAddress::v4(inner) : address;
}

std::string_view name(AddressClass address_class) {
  switch (address_class) {
    case AddressClass::global:
      return "global";
    case AddressClass::loopback:
      return "loopback";
    case AddressClass::private_use:
      return "private";
    case AddressClass::link_local:
      return "link-local";
    case AddressClass::metadata:
      return "metadata";
    case AddressClass::multicast:
      return "multicast";
    case AddressClass::unspecified:
      return "unspecified";
    case AddressClass::documentation:
      return "documentation";
    case AddressClass::reserved:
      return "reserved";
  }
  return "reserved";
}

}  // namespace egret
