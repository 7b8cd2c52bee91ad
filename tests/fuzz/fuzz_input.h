// What a fuzz target needs: properties that stay on, and one input cut into parts and pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace egret::fuzz {

inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", property);
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint8_t octet() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  // At most so many; the rest where there is less.
  std::string_view take(std::size_t bytes) {
    const std::string_view piece = rest_.substr(0, std::min(bytes, rest_.size()));
    rest_.remove_prefix(piece.size());
    return piece;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Calls with consecutive pieces of 1 to `bytes_max` bytes until one call says stop.
template <class Action>
void in_pieces(std::string_view text, std::size_t bytes_max, Action action) {
  std::size_t bytes = 1;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, bytes);
    text.remove_prefix(piece.size());
    if (!action(piece)) return;
    bytes = bytes % bytes_max + 1;
  }
}

}  // namespace egret::fuzz
