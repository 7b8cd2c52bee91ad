// What `egret init config` writes.
#pragma once

#include <string_view>

namespace egret {

// A commented egret.yaml for a person to edit. It parses without errors and allows nothing but what
// its comments say.
std::string_view starter_config();

}  // namespace egret
