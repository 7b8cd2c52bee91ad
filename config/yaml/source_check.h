// What must hold for the bytes of a file before a YAML parser sees them (ATTACKS J04).
#pragma once

#include <string_view>

#include "config/yaml/problems.h"

namespace egret::yaml {

inline constexpr std::size_t file_bytes_max = 1024 * 1024;

enum class Source { readable, unreadable };

// At most 1 MiB of UTF-8 without NUL, control, invisible or direction-changing characters, and with
// no tab in an indentation. Every offence is reported; `unreadable` when there was one.
Source check_source(std::string_view text, Problems& problems);

}  // namespace egret::yaml
