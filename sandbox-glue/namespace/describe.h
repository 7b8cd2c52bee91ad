// What guard_namespace() does, as text a person can read.
#pragma once

#include <string>

namespace egret {

std::string describe_namespace();

}  // namespace egret
