#include "proxy/audit/chain.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace egret {
namespace {

constexpr std::string_view head_mark = "{\"v\":1,\"seq\":";
constexpr std::string_view slot_mark = ",\"w\":";
constexpr std::string_view prev_mark = ",\"prev\":\"";
constexpr std::string_view end_mark = "\"}";
constexpr std::size_t tail_bytes = prev_mark.size() + 64 + end_mark.size();

void append_number(std::uint64_t value, std::string& out) {
  std::array<char, 20> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

template <class T>
bool take_number(std::string_view& text, T& value) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

Sha256Hex sha256_hex(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  // Fails only where the library itself is unusable; a chain without hashes must not be written.
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  constexpr std::string_view digits = "0123456789abcdef";
  Sha256Hex hex{};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    hex[2 * i] = digits[hash[i] >> 4U];
    hex[2 * i + 1] = digits[hash[i] & 15U];
  }
  return hex;
}

void Chain::append(std::string_view body, unsigned slot, std::string& out) {
  const std::size_t begin = out.size();
  out += head_mark;
  append_number(++seq, out);
  out += slot_mark;
  append_number(slot, out);
  out += ',';
  out += body;
  out += prev_mark;
  out += view(prev);
  out += end_mark;
  prev = sha256_hex(std::string_view(out).substr(begin));
  out += '\n';
}

std::optional<LineHead> line_head(std::string_view line) {
  const std::size_t begin = line.rfind(head_mark);
  if (begin == std::string_view::npos) return std::nullopt;
  LineHead head;
  head.text = line.substr(begin);
  if (head.text.size() < head_mark.size() + tail_bytes || !head.text.ends_with(end_mark)) {
    return std::nullopt;
  }
  const std::string_view tail = head.text.substr(head.text.size() - tail_bytes);
  head.prev = tail.substr(prev_mark.size(), 64);
  if (!tail.starts_with(prev_mark) || !std::all_of(head.prev.begin(), head.prev.end(), is_hex)) {
    return std::nullopt;
  }
  std::string_view rest = head.text.substr(head_mark.size());
  if (!take_number(rest, head.seq) || !rest.starts_with(slot_mark)) return std::nullopt;
  rest.remove_prefix(slot_mark.size());
  if (!take_number(rest, head.slot) || !rest.starts_with(',')) return std::nullopt;
  return head;
}

LineParts line_parts(std::string_view line) {
  LineParts parts{{}, line};
  while (const auto head = line_head(parts.rest)) {
    parts.records.insert(parts.records.begin(), *head);
    parts.rest.remove_suffix(head->text.size());
  }
  return parts;
}

}  // namespace egret
