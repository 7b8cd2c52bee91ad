// Whole small files: read, and written so that nobody sees half of one.
#pragma once

#include <string>

#include "policy/result.h"
#include "proxy/server/setup.h"

namespace egret {

Result<std::string, Failure> read_text_file(const std::string& path);
// Written beside it and renamed, with this mode; missing directories are made 0700.
Result<void, Failure> write_text_file(const std::string& path, const std::string& text, unsigned mode);

}  // namespace egret
