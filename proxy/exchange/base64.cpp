#include "proxy/exchange/base64.h"

#include <array>
#include <cstdint>

#include "policy/secret/secret.h"

namespace egret {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto values = make_values();

std::uint32_t byte_at(std::string_view bytes, std::size_t index) {
  return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group =
        (byte_at(bytes, i) << 16) | (byte_at(bytes, i + 1) << 8) | byte_at(bytes, i + 2);
    const std::size_t have = bytes.size() - i;
    out += alphabet[group >> 18];
    out += alphabet[(group >> 12) & 63];
    out += have > 1 ? alphabet[(group >> 6) & 63] : '=';
    out += have > 2 ? alphabet[group & 63] : '=';
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
    ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  unsigned bit_count = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    const std::int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      out += static_cast<char>((bits >> bit_count) & 0xff);
    }
  }
  if ((bits & ((1U << bit_count) - 1)) != 0) return std::nullopt;
  return out;
}

std::string base64_core(std::string_view bytes, unsigned phase) {
  std::string padded;
  padded.reserve(phase + bytes.size());
  padded.append(phase, '\0').append(bytes);
  std::string encoded = base64_encode(padded);
  const std::size_t first = (phase * 8 + 5) / 6;
  const std::size_t whole = padded.size() * 8 / 6;
  std::string core = whole > first ? encoded.substr(first, whole - first) : std::string();
  wipe(padded);
  wipe(encoded);
  return core;
}

}  // namespace egret
