// The inside of a JSON string (RFC 8259 7) that holds whatever an agent sent: bytes outside
// 0x20-0x7e become \u00XX (bytes, not code points), so that no value can end a string, a line or a
// terminal's patience. One writer for the records and for the answers to clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace egret {

// How `"` and `\` are escaped: `\"` reads better; `\u0022` leaves no quote in a value at all, so
// that a record's marks can be found without a parser.
enum class JsonQuotes : std::uint8_t { short_form, hex };

// Appends `text` escaped, at most `bytes_max` of it and never half an escape. Returns whether all
// of it fitted.
bool append_json_escaped(std::string_view text, JsonQuotes quotes, std::size_t bytes_max,
                         std::string& out);

}  // namespace egret
