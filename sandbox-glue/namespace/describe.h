// What guard_namespace() does, as text a person can read.
#pragma once

#include <string>

namespace egret {

// `guest_device`: the tap device in it, if there is one.
std::string describe_namespace(const std::string& guest_device = {});

}  // namespace egret
