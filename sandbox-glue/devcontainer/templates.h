// The files that `egret init compose` and `egret init devcontainer` write, as they lie in this
// folder.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace egret {

struct TemplateFile {
  std::string_view path;  // relative
  std::string_view text;
};

// Every file of the folder, compiled in.
std::span<const TemplateFile> template_files();

enum class StarterKind {
  compose,        // a gate in the sandbox's own network namespace
  compose_proxy,  // an internal network and proxy variables
  devcontainer,
};

struct Starter {
  std::string folder;               // below the project: `egret` or `.devcontainer`
  std::vector<TemplateFile> files;  // by their path below that
};
Starter starter_files(StarterKind kind);

}  // namespace egret
