// Content handed to another program as a descriptor, without a file on any disk.
#pragma once

#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// A memfd holding `content`, positioned at its start, close-on-exec.
Result<UniqueFd, SetupFault> make_memory_file(const char* name, std::string_view content);

// What the file holds from its start, at most `bytes_max`; reading does not move its position.
std::string read_memory_file(const UniqueFd& file, std::size_t bytes_max);

}  // namespace egret
