// Percent-encoding of RFC 3986 2.1, for secrets in URLs and for looking behind an agent's encoding.
#pragma once

#include <string>
#include <string_view>

namespace egret {

// Unreserved characters stay, everything else is encoded: a secret cannot break out of its segment
// or parameter.
std::string percent_encoded(std::string_view text);
// The same where other characters may stay.
std::string percent_encoded(std::string_view text, bool (*stays)(char));
// Every valid %XX once; anything else stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace egret
