// The public suffix list of the system (libpsl, Debian's `publicsuffix`).
#pragma once

#include <string_view>

namespace egret::schema {

// A public suffix (`com`, `co.uk`, `github.io`) or a parent of one (`amazonaws.com`): strangers can
// register names below it. Lower-case A-labels.
bool is_at_or_above_public_suffix(std::string_view name);

}  // namespace egret::schema
