#include "policy/target/host.h"

#include <algorithm>

#include "policy/target/punycode.h"

namespace egret {
namespace {

constexpr std::size_t name_max = 253;
constexpr std::size_t label_max = 63;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Lower-cases into `out`; false at the first byte that no host may hold.
bool fold_into(std::string_view text, std::string& out) {
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.') {
      out += c;
    } else {
      return false;
    }
  }
  return true;
}

std::optional<HostFault> label_fault(std::string_view label) {
  if (label.empty()) return HostFault::empty_label;
  if (label.size() > label_max) return HostFault::too_long;
  if (label.starts_with("xn--")) {
    if (!is_valid_a_label(label)) return HostFault::bad_a_label;
  }
  if (label.front() == '-' || label.back() == '-') return HostFault::bad_label;
  return std::nullopt;
}

// What a resolver would take for an IPv4 address, in whatever spelling (ATTACKS B03).
bool is_number(std::string_view label) {
  return label.starts_with("0x") || std::all_of(label.begin(), label.end(), is_digit);
}

std::optional<HostFault> name_fault(std::string_view name) {
  if (name.size() > name_max) return HostFault::too_long;
  for (std::size_t begin = 0;;) {
    const std::size_t dot = name.find('.', begin);
    if (const auto fault = label_fault(name.substr(begin, dot - begin))) return fault;
    if (dot == std::string_view::npos) return std::nullopt;
    begin = dot + 1;
  }
}

}  // namespace

Result<Host, HostFault> Host::parse(std::string_view text) {
  if (text.empty()) return HostFault::empty;
  if (text.size() > name_max + 1) return HostFault::too_long;
  if (text.front() == '[') {
    const bool closed = text.size() > 2 && text.back() == ']';
    const auto address = closed ? IpAddress::parse(text.substr(1, text.size() - 2)) : std::nullopt;
    if (!address || address->is_v4()) return HostFault::bad_address;
    return from_address(*address);
  }
  Host host;
  if (!fold_into(text, host.text_)) return HostFault::forbidden_byte;
  if (host.text_.back() == '.') host.text_.pop_back();
  if (const auto fault = name_fault(host.text_)) return *fault;

  const std::string_view name = host.text_;
  if (is_number(name.substr(name.rfind('.') + 1))) {
    host.address_ = IpAddress::parse(name);
    if (!host.address_) return HostFault::bad_address;
  }
  return host;
}

Host Host::from_address(const IpAddress& address) {
  Host host;
  host.text_ = address.text();
  host.address_ = address;
  return host;
}

std::string Host::authority_text() const {
  return address_ && !address_->is_v4() ? "[" + text_ + "]" : text_;
}

std::string_view describe(HostFault fault) {
  switch (fault) {
    case HostFault::empty:
      return "the host is empty";
    case HostFault::too_long:
      return "a name is at most 253 octets long and a label at most 63";
    case HostFault::forbidden_byte:
      return "a host holds only letters, digits, `-`, `_` and `.` (IPv6 in brackets)";
    case HostFault::empty_label:
      return "a label is empty: a leading dot or two dots in a row";
    case HostFault::bad_label:
      return "a label begins or ends with `-`";
    case HostFault::bad_a_label:
      return "an `xn--` label is no valid punycode";
    case HostFault::bad_address:
      return "not a valid IP address: write four decimal numbers, or IPv6 in brackets";
  }
  return "the host is malformed";
}

}  // namespace egret
