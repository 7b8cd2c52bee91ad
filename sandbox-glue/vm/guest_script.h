// guest.sh, carried in this library's read-only data.
#pragma once

#include <string_view>

namespace egret {

std::string_view guest_script();

}  // namespace egret
