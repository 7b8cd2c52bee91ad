// How a value may be written in URLs, forms and JSON by the usual writers: for finding it again in
// what they wrote, and for putting it into what they will read.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace egret {

// At most so many spellings of one value, the value itself not counted.
inline constexpr unsigned text_spellings_max = 40;

// Calls with every spelling that differs from the value; the same one may come twice. What the
// call gets is wiped behind it.
void for_each_text_spelling(std::string_view value,
                            const std::function<void(const std::string&)>& visit);

// As a JSON string holds it: what has to be escaped, and no more.
std::string json_escaped(std::string_view text);
// Some writers escape the slash too.
std::string json_escaped_with_slashes(std::string_view text);

}  // namespace egret
