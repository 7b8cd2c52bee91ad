// `egret --version`: our version and those of the libraries that run.
#pragma once

#include <string>

namespace egret {

std::string version_text(bool json);

}  // namespace egret
