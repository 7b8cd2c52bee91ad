#include "proxy/wire/json_string.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace egret {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

bool plain(unsigned char byte) {
  return byte >= 0x20 && byte <= 0x7e && byte != '"' && byte != '\\';
}

constexpr std::uint64_t each_byte(std::uint64_t byte) {
  return byte * 0x0101010101010101U;
}

// Bit 7 of a byte is set where that byte is zero (or stands above one that is).
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - each_byte(1)) & ~word;
}

// Eight bytes a step; a false alarm only sends the text to the slow loop.
bool all_plain(std::string_view text) {
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof word);
    const std::uint64_t below_space = (word - each_byte(0x20)) & ~word;
    const std::uint64_t odd = word | below_space | zero_bytes(word ^ each_byte('"')) |
                              zero_bytes(word ^ each_byte('\\')) |
                              zero_bytes(word ^ each_byte(0x7f));
    if ((odd & each_byte(0x80)) != 0) return false;
    text.remove_prefix(sizeof word);
  }
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return plain(static_cast<unsigned char>(c)); });
}

}  // namespace

bool append_json_escaped(std::string_view text, JsonQuotes quotes, std::size_t bytes_max,
                         std::string& out) {
  if (text.size() <= bytes_max && all_plain(text)) {
    out += text;
    return true;
  }
  std::size_t used = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool quote = byte == '"' || byte == '\\';
    const bool by_backslash = quote && quotes == JsonQuotes::short_form;
    const std::size_t cost = plain(byte) ? 1 : by_backslash ? 2 : 6;
    if (used + cost > bytes_max) return false;
    used += cost;
    if (plain(byte)) {
      out += c;
    } else if (by_backslash) {
      out += {'\\', c};
    } else {
      const std::array<char, 6> escape{
          '\\', 'u', '0', '0', hex_digits[byte >> 4U], hex_digits[byte & 15U]};
      out.append(escape.data(), escape.size());
    }
  }
  return true;
}

}  // namespace egret
