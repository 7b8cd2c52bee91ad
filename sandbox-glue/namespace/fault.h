// Why a sandbox cannot be set up on this machine, and what a person would change so that it can.
#pragma once

#include <string>

namespace egret {

struct SetupFault {
  std::string what;    // one sentence: the step that failed and the kernel's or tool's words
  std::string remedy;  // the kernel setting or package to change; empty when there is none to name
};

// "<step>: <strerror(error)>". Call with errno saved right after the failing call.
SetupFault system_fault(const std::string& step, int error, std::string remedy = {});

}  // namespace egret
