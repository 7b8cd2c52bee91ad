// Punycode (RFC 3492) of one label, without the `xn--`. Total and bounded by the label's 63 octets;
// no mapping and no normalisation: Egret checks A-labels and suggests them, it does not do IDNA.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace egret {

// Nothing where the text is no punycode or yields something that is no Unicode scalar value.
std::optional<std::u32string> punycode_decode(std::string_view text);
// Nothing where the label is over 63 code points or holds something that is no scalar value.
std::optional<std::string> punycode_encode(std::u32string_view label);

// Code points that no A-label may stand for: controls, spaces, invisible and bidirectional marks,
// full-width forms, dots in other scripts, private use and non-characters (ATTACKS A13).
bool is_forbidden_in_label(char32_t code_point);

// `xn--…`, lower-case: decodes to a label with a non-ASCII code point, with none that is forbidden,
// and encodes to the same text again.
bool is_valid_a_label(std::string_view label);

}  // namespace egret
