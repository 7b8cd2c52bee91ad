// For a host pattern that was refused: what is wrong with it, and the form that its author most
// likely meant. Used for error texts only; nothing is ever repaired behind anybody's back (J10).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "policy/decide/host_pattern.h"

namespace egret {

// Printable and short, in back quotes, for an error text.
std::string quoted_pattern(std::string_view text);

// `is_valid` tells whether a suggestion would be accepted.
PatternFault explain_host_pattern(std::string_view text,
                                  const std::function<bool(std::string_view)>& is_valid);

}  // namespace egret
