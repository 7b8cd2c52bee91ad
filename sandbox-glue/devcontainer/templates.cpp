#include "sandbox-glue/devcontainer/templates.h"

#include <algorithm>

namespace egret {
namespace {

constexpr std::string_view gate_folder = "gate/";
constexpr std::string_view rules = "gate/rules.nft";

// What a kind has of its own replaces what the kinds share.
void put(std::vector<TemplateFile>& files, const TemplateFile& file) {
  const auto same = std::find_if(files.begin(), files.end(),
                                 [&](const TemplateFile& one) { return one.path == file.path; });
  if (same == files.end())
    files.push_back(file);
  else
    *same = file;
}

}  // namespace

Starter starter_files(StarterKind kind) {
  const std::string_view own = kind == StarterKind::compose         ? "compose/"
                               : kind == StarterKind::compose_proxy ? "compose-proxy/"
                                                                    : "devcontainer/";
  Starter starter{kind == StarterKind::devcontainer ? ".devcontainer" : "egret", {}};
  for (const TemplateFile& file : template_files()) {
    if (!file.path.starts_with(gate_folder)) continue;
    if (kind != StarterKind::compose_proxy || file.path != rules) put(starter.files, file);
  }
  for (const TemplateFile& file : template_files()) {
    if (file.path.starts_with(own)) put(starter.files, {file.path.substr(own.size()), file.text});
  }
  return starter;
}

}  // namespace egret
