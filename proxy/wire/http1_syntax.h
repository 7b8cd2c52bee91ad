// The octets of HTTP/1 (RFC 9110 5.5, 5.6.2; RFC 9112): one table, used by every parser here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "proxy/wire/message.h"

namespace egret::syntax {

inline constexpr std::uint8_t token = 1;      // tchar
inline constexpr std::uint8_t value = 2;      // VCHAR, SP, HTAB, obs-text
inline constexpr std::uint8_t target = 4;     // VCHAR without what no client has to send raw
inline constexpr std::uint8_t printable = 8;  // VCHAR, SP, HTAB

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool visible = c > 0x20 && c < 0x7f;
    const std::string_view separators = "\"(),/:;<=>?@[\\]{}";
    const std::string_view never_raw = "\"#<>\\";
    const auto in = [c](std::string_view set) {
      return set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    std::uint8_t bits = 0;
    if (visible && !in(separators)) bits |= token;
    if (visible && !in(never_raw)) bits |= target;
    if (visible || c == ' ' || c == '\t') bits |= printable | value;
    if (c >= 0x80) bits |= value;
    classes[static_cast<std::size_t>(c)] = bits;
  }
  return classes;
}
inline constexpr std::array<std::uint8_t, 256> classes = make_classes();

constexpr bool is(char c, std::uint8_t octet_class) {
  return (classes[static_cast<unsigned char>(c)] & octet_class) != 0;
}
constexpr bool all(std::string_view text, std::uint8_t octet_class) {
  for (const char c : text) {
    if (!is(c, octet_class)) return false;
  }
  return true;
}
constexpr bool is_token(std::string_view text) {
  return !text.empty() && all(text, token);
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = lower(c);
  return out;
}

constexpr bool same_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// Without SP and HTAB at both ends.
constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// Takes the next element off a comma-separated list, trimmed. Quoted commas are not understood: no
// list read with this may carry a quoted string.
constexpr std::string_view take_element(std::string_view& list, char separator = ',') {
  const std::size_t end = list.find(separator);
  const std::string_view element = trimmed(list.substr(0, end));
  list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  return element;
}

struct FieldLine {
  std::string_view name;  // as it came
  std::string_view value;
  std::size_t next = 0;  // behind its CRLF
};
// The field line at `at`. Refuses what no recipient reads alike: a fold, white space before the
// colon, a bare CR or LF, controls, octets over 0x7f where they could matter, and underscore twins
// of framing fields.
Result<FieldLine, WireFault> read_field_line(std::string_view text, std::size_t at,
                                             std::size_t field_bytes_max);

// One field that a codec has found by itself: the same rules as for a field line.
Result<void, WireFault> check_field(std::string_view name, std::string_view text,
                                    std::size_t field_bytes_max);

// RFC 9112 3.2: the method says which forms there may be, the first bytes say which one it is.
Result<TargetForm, WireFault> target_form(std::string_view method, std::string_view text);

// May this field stand behind a body? Framing, routing, credentials and what describes the body may
// not.
bool forbidden_in_trailers(std::string_view lower_case_name);

// Visits the elements of the comma-separated lists in all fields of this name, trimmed.
template <class Visit>
void each_element(const FieldList& fields, std::string_view lower_case_name, Visit visit) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name != lower_case_name) continue;
    for (std::string_view list = fields[i].value; !list.empty();)
      visit(take_element(list));
  }
}

// The elements of the comma-separated lists in all fields of this name, in lower case, none empty.
std::vector<std::string> list_elements(const FieldList& fields, std::string_view lower_case_name);

// Whether a list of tokens (Connection, …) in any of the fields of this name holds this one.
bool lists_token(const FieldList& fields, std::string_view lower_case_name,
                 std::string_view lower_case_token);

}  // namespace egret::syntax
