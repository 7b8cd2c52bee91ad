// Base64 of RFC 4648, for Basic credentials (RFC 7617). Decoding is strict: no white space, correct
// padding, no stray bits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace egret {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// The characters that any base64 text holds in which `bytes` begin at an offset of `phase` (0-2)
// modulo 3: what is before and behind does not reach into them.
std::string base64_core(std::string_view bytes, unsigned phase);

}  // namespace egret
