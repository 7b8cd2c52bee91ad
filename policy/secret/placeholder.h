// What the sandbox sees instead of a secret: `<prefix>egret<random base62>` (DESIGN part 6). Where
// the real value's format is known its prefix and its length are kept, so that SDKs accept it and
// Content-Length stays; else, or where fewer than 22 random characters would fit, 40 characters.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace egret {

inline constexpr std::string_view placeholder_marker = "egret";
inline constexpr std::size_t placeholder_random_min = 22;
inline constexpr std::size_t placeholder_default_bytes = 40;

// Fills the span with unpredictable bytes. The world supplies it: floor 0 does no I/O.
using RandomSource = std::function<void(std::span<unsigned char>)>;

struct PlaceholderShape {
  std::string prefix;  // `ghp_`, `sk-ant-api03-`, … or empty
  std::size_t bytes = placeholder_default_bytes;
  bool operator==(const PlaceholderShape&) const = default;
};
PlaceholderShape shape_of(std::string_view secret_value);

class Placeholder {
 public:
  static Placeholder mint(const PlaceholderShape& shape, const RandomSource& random);
  // One that was minted before and kept; nothing where it is not well formed.
  static std::optional<Placeholder> parse(std::string_view text);

  const std::string& text() const { return text_; }
  std::size_t marker_offset() const { return marker_offset_; }
  bool operator==(const Placeholder& other) const { return text_ == other.text_; }

 private:
  Placeholder() = default;
  std::string text_;
  std::size_t marker_offset_ = 0;
};

// A candidate inside other text: the marker followed by at least 22 base62 characters, with the
// prefix before it where there is a known one.
struct PlaceholderSpan {
  std::size_t begin;
  std::size_t end;
};
std::optional<PlaceholderSpan> find_placeholder(std::string_view text, std::size_t from = 0);

}  // namespace egret
