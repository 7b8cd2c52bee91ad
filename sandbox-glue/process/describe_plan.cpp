#include "sandbox-glue/namespace/describe.h"
#include "sandbox-glue/process/bubblewrap.h"
#include "sandbox-glue/process/filesystem_plan.h"
#include "sandbox-glue/process/process_sandbox.h"

namespace egret {
namespace {

// An option and its values share a line.
std::string one_option_a_line(const std::vector<std::string>& words) {
  std::string text = "bwrap";
  for (const auto& word : words)
    text.append(word.rfind("--", 0) == 0 ? "\n  " : " ").append(word);
  return text;
}

}  // namespace

std::string describe_plan(const SandboxRequest& request) {
  const HostView host = read_host(request.environment);
  std::string text = describe_namespace();
  text += "\n# 4. the file system, and no capability, inside the same network namespace\n";
  const auto plan = plan_filesystem(request, host);
  if (!plan) return text + "not possible: " + plan.error().what + "\n";
  text += one_option_a_line(describe_bubblewrap_options(*plan, host));
  text += "\n  -- " + std::string(launch_path);
  for (const auto& word : request.command)
    text.append(" ").append(word);
  text += "\n";
  for (const auto& note : plan->notes)
    text += "# note: " + note + "\n";
  return text;
}

}  // namespace egret
