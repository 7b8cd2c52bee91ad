// Reads what a descriptor has to give, up to a limit: for files that may hold a secret.
#pragma once

#include <cstddef>
#include <string>

namespace egret {

enum class ReadEnd { end_of_file, would_block, too_long, failed };

// Appends what there is to `bytes`, which never holds more than `bytes_max`. The caller wipes.
ReadEnd read_to_end(int descriptor, std::size_t bytes_max, std::string& bytes);

}  // namespace egret
