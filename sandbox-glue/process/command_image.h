// A command and its environment on their way to egret_launch.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/process/bubblewrapped.h"
#include "sandbox-glue/process/terminal.h"

namespace egret {

// The memory file that launch_message.h describes.
Result<UniqueFd, SetupFault> make_command_image(
    const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& environment);

// Gives the order with this process's descriptors 0-2 and, where those are a terminal, a terminal
// of the sandbox's own, which is relayed from here on.
Result<void, SetupFault> launch_with_terminal(Bubblewrapped& sandbox, const UniqueFd& image,
                                              TerminalRelay& terminal);

}  // namespace egret
