// The egret_launch program (sandbox-glue/inside), carried in this library's read-only data.
#pragma once

#include <string_view>

namespace egret {

std::string_view launch_image();

}  // namespace egret
