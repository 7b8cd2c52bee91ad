#include "policy/target/address.h"

#include <algorithm>

namespace egret {
namespace {

// One decimal octet without leading zeros, taken from the front of `text`.
std::optional<std::uint8_t> take_octet(std::string_view& text) {
  unsigned value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (digits == 3) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(text[digits] - '0');
    ++digits;
  }
  if (digits == 0 || value > 255 || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<std::uint8_t>(value);
}

std::optional<IpAddress> parse_v4(std::string_view text) {
  std::uint8_t octets[4];
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    const auto octet = take_octet(text);
    if (!octet) return std::nullopt;
    octets[i] = *octet;
  }
  if (!text.empty()) return std::nullopt;
  return IpAddress::v4(octets[0], octets[1], octets[2], octets[3]);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Colon-separated groups, the last one perhaps a dotted quad: what stands on one side of `::`.
struct Groups {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0;
};

enum class Tail { may_be_v4, never_v4 };

std::optional<Groups> parse_groups(std::string_view text, Tail tail) {
  Groups groups;
  if (text.empty()) return groups;
  for (;;) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
      const auto v4 = tail == Tail::may_be_v4 ? parse_v4(part) : std::nullopt;
      if (!v4 || groups.size + 4 > 16) return std::nullopt;
      for (std::size_t i = 0; i < 4; ++i)
        groups.bytes[groups.size++] = v4->bytes()[i];
      return groups;
    }
    if (part.empty() || part.size() > 4 || groups.size + 2 > 16) return std::nullopt;
    unsigned value = 0;
    for (const char c : part) {
      const int digit = hex_value(c);
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    groups.bytes[groups.size++] = static_cast<std::uint8_t>(value >> 8);
    groups.bytes[groups.size++] = static_cast<std::uint8_t>(value & 0xff);
    if (colon == std::string_view::npos) return groups;
    text.remove_prefix(colon + 1);
  }
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto all = parse_groups(text, Tail::may_be_v4);
    if (!all || all->size != 16) return std::nullopt;
    return IpAddress::v6(all->bytes);
  }
  const auto head = parse_groups(text.substr(0, gap), Tail::never_v4);
  const auto tail = parse_groups(text.substr(gap + 2), Tail::may_be_v4);
  // The gap stands for at least one group.
  if (!head || !tail || head->size + tail->size > 14) return std::nullopt;
  IpAddress::Bytes bytes{};
  std::copy_n(head->bytes.begin(), head->size, bytes.begin());
  std::copy_n(tail->bytes.begin(), tail->size, bytes.end() - static_cast<long>(tail->size));
  return IpAddress::v6(bytes);
}

std::string v4_text(const std::uint8_t* octets) {
  std::string text;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) text += '.';
    text += std::to_string(octets[i]);
  }
  return text;
}

std::string hex_text(unsigned group) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) {
    const unsigned digit = (group >> shift) & 0xf;
    if (digit != 0 || !text.empty() || shift == 0) text += digits[digit];
  }
  return text;
}

bool is_mapped(const IpAddress::Bytes& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; }) &&
         bytes[10] == 0xff && bytes[11] == 0xff;
}

std::string v6_text(const IpAddress::Bytes& bytes) {
  if (is_mapped(bytes)) return "::ffff:" + v4_text(bytes.data() + 12);
  unsigned groups[8];
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  }
  // RFC 5952 4.2: the longest run of at least two zero groups, the first where runs are equal.
  int gap = -1;
  int gap_size = 1;
  for (int i = 0; i < 8; ++i) {
    int size = 0;
    while (i + size < 8 && groups[i + size] == 0)
      ++size;
    if (size > gap_size) {
      gap = i;
      gap_size = size;
    }
    if (size > 0) i += size - 1;
  }
  std::string text;
  for (int i = 0; i < 8; ++i) {
    if (i == gap) {
      text += "::";
      i += gap_size - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += hex_text(groups[i]);
  }
  return text;
}

int family_bits(const IpAddress& address) {
  return address.is_v4() ? 32 : 128;
}

IpAddress masked(const IpAddress& address, int prefix_bits) {
  IpAddress::Bytes bytes = address.bytes();
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(prefix_bits - 8 * i, 0, 8);
    bytes[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> kept);
  }
  if (address.is_v4()) return IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
  return IpAddress::v6(bytes);
}

}  // namespace

IpAddress IpAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  IpAddress address;
  address.bytes_ = {a, b, c, d};
  return address;
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  return v4(static_cast<std::uint8_t>(host_order >> 24),
            static_cast<std::uint8_t>(host_order >> 16), static_cast<std::uint8_t>(host_order >> 8),
            static_cast<std::uint8_t>(host_order));
}

IpAddress IpAddress::v6(const Bytes& network_order) {
  IpAddress address;
  address.is_v4_ = false;
  address.bytes_ = network_order;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  return parse_v4(text);
}

std::string IpAddress::text() const {
  return is_v4_ ? v4_text(bytes_.data()) : v6_text(bytes_);
}

Cidr::Cidr(const IpAddress& base, int prefix_bits)
    : base_(masked(base, std::clamp(prefix_bits, 0, family_bits(base)))),
      prefix_bits_(std::clamp(prefix_bits, 0, family_bits(base))) {}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = IpAddress::parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  if (slash == std::string_view::npos) return Cidr(*base, family_bits(*base));

  const std::string_view digits = text.substr(slash + 1);
  if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  int bits = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    bits = bits * 10 + (c - '0');
  }
  if (bits > family_bits(*base)) return std::nullopt;
  const Cidr range(*base, bits);
  // `10.1.2.3/8` says two things at once; whoever wrote it has to choose.
  if (range.base() != *base) return std::nullopt;
  return range;
}

bool Cidr::contains(const IpAddress& address) const {
  return address.is_v4() == base_.is_v4() && masked(address, prefix_bits_) == base_;
}

bool Cidr::single() const {
  return prefix_bits_ == family_bits(base_);
}

std::string Cidr::text() const {
  return single() ? base_.text() : base_.text() + "/" + std::to_string(prefix_bits_);
}

}  // namespace egret
