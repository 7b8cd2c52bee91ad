// A whole decimal number that is all of a text; nothing where it is not, or does not fit.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace egret {

template <class Number>
std::optional<Number> read_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace egret
