#include "sandbox-glue/process/command_image.h"

#include <cstring>

#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/process/launch_message.h"

namespace egret {

Result<UniqueFd, SetupFault> make_command_image(
    const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& environment) {
  LaunchImageHead head;
  head.argc = static_cast<std::uint32_t>(command.size());
  head.envc = static_cast<std::uint32_t>(environment.size());
  std::string bytes(sizeof(head), '\0');
  std::memcpy(bytes.data(), &head, sizeof(head));
  const auto add = [&](const std::string& text) {
    if (text.find('\0') != std::string::npos) return false;
    bytes.append(text).push_back('\0');
    return true;
  };
  bool whole = true;
  for (const auto& word : command)
    whole = add(word) && whole;
  for (const auto& [name, value] : environment)
    whole = add(name + "=" + value) && whole;
  if (!whole) return SetupFault{"the command or its environment holds a NUL byte", {}};
  return make_memory_file("egret-command", bytes);
}

Result<void, SetupFault> launch_with_terminal(Bubblewrapped& sandbox, const UniqueFd& image,
                                              TerminalRelay& terminal) {
  LaunchOrder order;
  order.terminal_mask = terminal.mask();
  order.window = terminal.window();
  order.settings = terminal.inner_settings();
  auto master = sandbox.launch(order, image);
  if (!master) return master.error();
  if (*master) terminal.attach(std::move(*master));
  return {};
}

}  // namespace egret
