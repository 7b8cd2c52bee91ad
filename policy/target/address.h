// IP addresses and ranges as values. Text is parsed strictly: dotted quad without leading zeros, or
// RFC 4291 IPv6 without zone id and without brackets; every legacy spelling (`127.1`, `0x7f.1`,
// `2130706433`) is no address here (ATTACKS B03).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace egret {

class IpAddress {
 public:
  using Bytes = std::array<std::uint8_t, 16>;

  // 0.0.0.0
  IpAddress() = default;
  static IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const Bytes& network_order);
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return is_v4_; }
  // Network order; an IPv4 address uses the first four bytes, the rest are zero.
  const Bytes& bytes() const { return bytes_; }
  // Dotted quad, or RFC 5952 without brackets.
  std::string text() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  bool is_v4_ = true;
  Bytes bytes_{};
};

// An address range. A plain address parses as the range that holds only it.
class Cidr {
 public:
  static std::optional<Cidr> parse(std::string_view text);
  Cidr(const IpAddress& base, int prefix_bits);

  // Same family and inside the range; no unwrapping of embedded IPv4.
  bool contains(const IpAddress& address) const;
  std::string text() const;
  bool single() const;
  const IpAddress& base() const { return base_; }
  int prefix_bits() const { return prefix_bits_; }

  bool operator==(const Cidr&) const = default;

 private:
  IpAddress base_;
  int prefix_bits_ = 32;
};

}  // namespace egret
