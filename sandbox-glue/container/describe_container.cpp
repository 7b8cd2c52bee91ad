#include "sandbox-glue/container/create_command.h"
#include "sandbox-glue/namespace/describe.h"

namespace egret {
namespace {

// An option and its value share a line.
std::string one_option_a_line(const std::vector<std::string>& words) {
  std::string text = "podman";
  bool options_end = false;
  for (const std::string& word : words) {
    options_end = options_end || word == "--";
    const bool new_line = word == "--" || (!options_end && word.starts_with("--"));
    text.append(new_line ? " \\\n  " : " ").append(word);
  }
  return text + "\n";
}

}  // namespace

std::string describe_container_plan(const ContainerRequest& request,
                                    const Result<FilesystemPlan, SetupFault>& plan,
                                    const ContainerPlaces& places) {
  std::string text =
      "# 0. a process in a new network namespace (of podman's user namespace, without root)\n" +
      describe_namespace() +
      "\n# 4. the container, in that namespace; FOLDER holds the files named below\n";
  if (!plan) return text + "not possible: " + plan.error().what + "\n";
  std::size_t contents = 0;
  for (const Mount& mount : plan->mounts) {
    if (mount.kind != Mount::Kind::Content) continue;
    text += "# FOLDER/" + content_file(contents++) + ": " + std::to_string(mount.content.size()) +
            " bytes\n";
  }
  text += "# FOLDER/environment:";
  for (const auto& [name, value] : request.sandbox.environment)
    text += " " + name;
  text += "\n" + one_option_a_line(create_command(request, *plan, places));
  text += "podman start --attach --interactive " + places.name + "\n";
  text += "podman rm --force " + places.name + "\n";
  for (const auto& note : plan->notes)
    text += "# note: " + note + "\n";
  return text;
}

}  // namespace egret
