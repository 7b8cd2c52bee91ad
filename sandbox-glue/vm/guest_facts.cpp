#include "sandbox-glue/vm/guest_facts.h"

#include <string_view>

#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/vm/guest_script.h"

namespace egret {
namespace {

constexpr std::string_view files_folder = "/run/egret/";

// For a POSIX shell: nothing inside single quotes means anything but a single quote.
std::string quoted(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out.push_back(c);
    }
  }
  return out + "'";
}

std::string assignments(const SandboxRequest& request) {
  std::string text;
  for (const auto& [name, value] : request.environment)
    text += "export " + name + "=" + quoted(value) + "\n";
  return text;
}

std::string network() {
  const auto line = [](const char* name, const std::string& value) {
    return std::string("egret_") + name + "=" + value + "\n";
  };
  return line("card", guest_card) +
         line("address4", guest_address4 + ("/" + std::to_string(guest_prefix4))) +
         line("gateway4", guest_gateway4) +
         line("address6", guest_address6 + ("/" + std::to_string(guest_prefix6))) +
         line("gateway6", guest_gateway6);
}

std::string command_line(const SandboxRequest& request) {
  std::string text;
  for (const std::string& word : request.command)
    text += quoted(word) + " ";
  return text + "\n";
}

}  // namespace

std::vector<GuestFact> guest_facts(const SandboxRequest& request) {
  std::vector<GuestFact> facts = {{"opt/egret/setup", std::string(guest_script())},
                                  {"opt/egret/environment", assignments(request)},
                                  {"opt/egret/network", network()}};
  if (!request.command.empty()) facts.push_back({"opt/egret/command", command_line(request)});
  for (const SandboxFile& file : request.files) {
    if (!file.path.starts_with(files_folder)) continue;  // the host's places, not the guest's
    facts.push_back({"opt/egret/file/" + file.path.substr(files_folder.size()), file.content});
  }
  return facts;
}

}  // namespace egret
