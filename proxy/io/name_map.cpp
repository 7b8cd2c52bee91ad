#include "proxy/io/name_map.h"

#include <algorithm>

namespace egret {
namespace {

constexpr std::uint32_t v4_base = (198U << 24) | (18U << 16);
constexpr std::uint32_t first = 1;  // 198.18.0.0 itself stays unused
constexpr IpAddress::Bytes v6_base = {0xfd, 0x65, 0x67, 0x72, 0x65, 0x74, 0, 0,
                                      0,    0,    0,    0,    0,    0,    0, 0};

IpAddress v4_of(std::uint32_t index) {
  return IpAddress::v4(v4_base + first + index);
}

IpAddress v6_of(std::uint32_t index) {
  IpAddress::Bytes bytes = v6_base;
  const std::uint32_t number = first + index;
  for (unsigned i = 0; i < 4; ++i)
    bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return IpAddress::v6(bytes);
}

std::optional<std::uint32_t> index_in(const IpAddress& address) {
  const IpAddress::Bytes& bytes = address.bytes();
  std::uint32_t number = 0;
  if (address.is_v4()) {
    for (unsigned i = 0; i < 4; ++i)
      number = (number << 8) | bytes[i];
    number -= v4_base;
  } else {
    if (!std::equal(v6_base.begin(), v6_base.begin() + 12, bytes.begin())) return std::nullopt;
    for (unsigned i = 12; i < 16; ++i)
      number = (number << 8) | bytes[i];
  }
  return number - first;
}

}  // namespace

std::optional<NameMap::Entry> NameMap::address_for(const Host& name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = index_of_.find(name.text()); found != index_of_.end()) {
    return Entry{v4_of(found->second), v6_of(found->second), false};
  }
  if (names_.size() >= names_max) return std::nullopt;
  const auto index = static_cast<std::uint32_t>(names_.size());
  names_.push_back(name);
  index_of_.emplace(name.text(), index);
  return Entry{v4_of(index), v6_of(index), true};
}

std::optional<Host> NameMap::name_of(const IpAddress& address) const {
  const auto index = index_in(address);
  const std::lock_guard lock(mutex_);
  if (!index || *index >= names_.size()) return std::nullopt;
  return names_[*index];
}

}  // namespace egret
