// Whole small files: read, and written so that nobody sees half of one.
#pragma once

#include <string>

#include "policy/result.h"
#include "proxy/server/setup.h"

namespace egret {

Result<std::string, Failure> read_text_file(const std::string& path);
// Written beside it and renamed, with this mode; missing directories are made 0700.
Result<void, Failure> write_text_file(const std::string& path, const std::string& text,
                                      unsigned mode);

// 0700, with its parents, where it is missing.
Result<void, Failure> make_private_directory(const std::string& path);
// An empty file, 0600, where there is none.
Result<void, Failure> touch_private_file(const std::string& path);

}  // namespace egret
