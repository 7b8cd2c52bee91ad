// One small file that only its owner can read, wherever it lies: a secret, a client's key. What
// others could have read or replaced is refused with words that say what to do (ATTACKS J11).
#pragma once

#include <cstddef>
#include <string>

#include "certs/private_directory.h"
#include "policy/result.h"

namespace egret {

// A regular file of at most `bytes_max`, no link, ours or root's, without any group or other bit.
// The fault does not name the path, but for the command that helps: the caller knows what it is
// for. The caller wipes.
Result<std::string, FileFault> read_private_file(const std::string& path, std::size_t bytes_max);

}  // namespace egret
