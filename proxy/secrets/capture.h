// The output of a program, run without a shell and without anything of ours but the environment.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "policy/result.h"

namespace egret {

// `exited with status 3`, `took longer than 10 s and was killed`, …; never what it printed.
struct CaptureFault {
  std::string what;
};

// `argv` is not empty. The program has the time limit to exit with status 0; what it left running
// in its process group past the limit, or after a failure, is killed.
Result<std::string, CaptureFault> capture_output(const std::vector<std::string>& argv,
                                                 std::size_t bytes_max,
                                                 std::chrono::milliseconds limit);

}  // namespace egret
