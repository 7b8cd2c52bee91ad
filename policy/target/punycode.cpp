#include "policy/target/punycode.h"

#include <algorithm>
#include <cstdint>

namespace egret {
namespace {

// RFC 3492 section 5.
constexpr std::uint32_t base = 36;
constexpr std::uint32_t t_min = 1;
constexpr std::uint32_t t_max = 26;
constexpr std::uint32_t skew = 38;
constexpr std::uint32_t damp = 700;
constexpr std::uint32_t initial_bias = 72;
constexpr char32_t initial_n = 0x80;

constexpr std::size_t label_max = 63;

bool is_scalar(std::uint64_t code_point) {
  return code_point <= 0x10ffff && !(code_point >= 0xd800 && code_point <= 0xdfff);
}

std::uint32_t adapt(std::uint32_t delta, std::size_t points, bool first) {
  delta = first ? delta / damp : delta / 2;
  delta += delta / static_cast<std::uint32_t>(points);
  std::uint32_t k = 0;
  for (; delta > ((base - t_min) * t_max) / 2; k += base)
    delta /= base - t_min;
  return k + (base - t_min + 1) * delta / (delta + skew);
}

std::uint32_t threshold(std::uint32_t k, std::uint32_t bias) {
  return k <= bias ? t_min : std::min(k - bias, t_max);
}

std::optional<std::uint32_t> digit_value(char c) {
  if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a');
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0' + 26);
  return std::nullopt;
}

char digit_char(std::uint32_t digit) {
  return static_cast<char>(digit < 26 ? 'a' + digit : '0' + digit - 26);
}

// The generalised variable-length integer at the front of `text`, as a step of `i`.
std::optional<std::uint64_t> take_delta(std::string_view& text, std::uint32_t bias) {
  std::uint64_t delta = 0;
  std::uint64_t weight = 1;
  for (std::uint32_t k = base;; k += base) {
    if (text.empty()) return std::nullopt;
    const auto digit = digit_value(text.front());
    if (!digit) return std::nullopt;
    text.remove_prefix(1);
    delta += *digit * weight;
    const std::uint32_t t = threshold(k, bias);
    if (*digit < t) return delta;
    weight *= base - t;
    // No label of 63 octets needs more; this keeps every product far from overflow.
    if (delta > 0xffffffff || weight > 0xffffffff) return std::nullopt;
  }
}

}  // namespace

std::optional<std::u32string> punycode_decode(std::string_view text) {
  if (text.size() > label_max) return std::nullopt;
  std::u32string out;
  const std::size_t delimiter = text.rfind('-');
  if (delimiter != std::string_view::npos && delimiter > 0) {
    for (const char c : text.substr(0, delimiter)) {
      if (static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
      out += static_cast<char32_t>(c);
    }
    text.remove_prefix(delimiter + 1);
  }
  std::uint64_t n = initial_n;
  std::uint64_t i = 0;
  std::uint32_t bias = initial_bias;
  while (!text.empty()) {
    const auto delta = take_delta(text, bias);
    if (!delta || *delta > 0xffffffff) return std::nullopt;
    const std::size_t points = out.size() + 1;
    bias = adapt(static_cast<std::uint32_t>(*delta), points, i == 0);
    i += *delta;
    n += i / points;
    i %= points;
    if (!is_scalar(n)) return std::nullopt;
    out.insert(static_cast<std::size_t>(i), 1, static_cast<char32_t>(n));
    ++i;
  }
  return out;
}

std::optional<std::string> punycode_encode(std::u32string_view label) {
  if (label.size() > label_max) return std::nullopt;
  std::string out;
  for (const char32_t c : label) {
    if (!is_scalar(c)) return std::nullopt;
    if (c < initial_n) out += static_cast<char>(c);
  }
  const std::size_t basic = out.size();
  std::size_t done = basic;
  if (basic > 0) out += '-';

  char32_t n = initial_n;
  std::uint32_t delta = 0;
  std::uint32_t bias = initial_bias;
  while (done < label.size()) {
    char32_t next = 0x10ffff;
    for (const char32_t c : label) {
      if (c >= n && c < next) next = c;
    }
    delta += (next - n) * static_cast<std::uint32_t>(done + 1);
    n = next;
    for (const char32_t c : label) {
      if (c < n) ++delta;
      if (c != n) continue;
      std::uint32_t q = delta;
      for (std::uint32_t k = base;; k += base) {
        const std::uint32_t t = threshold(k, bias);
        if (q < t) break;
        out += digit_char(t + (q - t) % (base - t));
        q = (q - t) / (base - t);
      }
      out += digit_char(q);
      bias = adapt(delta, done + 1, done == basic);
      delta = 0;
      ++done;
    }
    ++delta;
    ++n;
  }
  return out;
}

bool is_forbidden_in_label(char32_t code_point) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  static constexpr Range ranges[] = {
      {0x80, 0xa0},     {0xad, 0xad},     {0x034f, 0x034f},    {0x061c, 0x061c}, {0x115f, 0x1160},
      {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},    {0x2000, 0x200b}, {0x200e, 0x200f},
      {0x2024, 0x2026}, {0x2028, 0x202f}, {0x205f, 0x206f},    {0x3000, 0x3002}, {0x3164, 0x3164},
      {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe1f},    {0xfe50, 0xfe6f}, {0xfeff, 0xfeff},
      {0xff00, 0xffef}, {0xfff0, 0xffff}, {0xe0000, 0x10ffff},
  };
  for (const Range& range : ranges) {
    if (code_point >= range.first && code_point <= range.last) return true;
  }
  return (code_point & 0xfffe) == 0xfffe;
}

bool is_valid_a_label(std::string_view label) {
  if (!label.starts_with("xn--")) return false;
  const std::string_view encoded = label.substr(4);
  const auto decoded = punycode_decode(encoded);
  if (!decoded ||
      std::all_of(decoded->begin(), decoded->end(), [](char32_t c) { return c < 0x80; })) {
    return false;
  }
  if (std::any_of(decoded->begin(), decoded->end(), is_forbidden_in_label)) return false;
  return punycode_encode(*decoded) == encoded;
}

}  // namespace egret
