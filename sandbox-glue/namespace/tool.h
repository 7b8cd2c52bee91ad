// Runs one system tool to its end: no shell, no inherited descriptor, an empty environment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// The absolute path of an installed tool: the usual system folders first, then PATH of this
// process. Folders called sbin are often missing from a user's PATH, so PATH alone is not enough.
Result<std::string, SetupFault> find_tool(const std::string& name, const std::string& package);

// Runs `argv` (argv[0] is an absolute path) with `input` as its standard input. A fault carries the
// tool's own words on stderr, cut at 2 KiB.
Result<void, SetupFault> run_tool(const std::vector<std::string>& argv, std::string_view input);

// The same, and what it said on stdout. More than 16 MiB of it is a fault.
Result<std::string, SetupFault> read_tool(const std::vector<std::string>& argv,
                                          std::string_view input = {});
// The same with this process's own environment, for tools that a person has set up for themselves;
// without trailing newlines.
Result<std::string, SetupFault> ask_tool(const std::vector<std::string>& argv);

}  // namespace egret
