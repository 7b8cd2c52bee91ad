// SHA-1 (RFC 3174), for Sec-WebSocket-Accept only: there it is a label and protects nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace egret {

std::array<std::uint8_t, 20> sha1(std::string_view bytes);

}  // namespace egret
