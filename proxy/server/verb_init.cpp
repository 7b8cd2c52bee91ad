// init: starting files that a person reads, changes and keeps.
#include <filesystem>
#include <iostream>

#include "config/starter.h"
#include "proxy/server/text_file.h"
#include "proxy/server/verbs.h"

namespace egret {
namespace {

constexpr unsigned readable = 0644;
constexpr unsigned runnable = 0755;

Failure cannot_make(const std::filesystem::path& folder, const std::error_code& error) {
  return {"egret: cannot make " + folder.string() + ": " + error.message(), 2};
}

// Containers read these files as other users do, whatever the caller's umask.
Result<void, Failure> make_readable_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) return {};
  if (auto made = make_readable_folder(folder.parent_path()); !made) return made;
  if (!fs::create_directory(folder, error)) return cannot_make(folder, error);
  fs::permissions(folder, static_cast<fs::perms>(runnable), error);
  return {};
}

// Two projects must not share their volumes: `name: egret-project` gets the project's own name, as
// far as Compose takes its characters.
std::string named_after(const std::filesystem::path& project, std::string_view text) {
  constexpr std::string_view placeholder = "name: egret-project\n";
  std::string out(text);
  const std::size_t at = out.find(placeholder);
  if (at == std::string::npos) return out;
  std::string name;
  for (const char c : std::filesystem::absolute(project / "x").parent_path().filename().string()) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    name += plain ? lower : '-';
  }
  return out.replace(at, placeholder.size(), "name: egret-" + name + "\n");
}

std::string next_steps(StarterKind kind, const std::string& folder) {
  const std::string program = "  cp \"$(command -v egret)\" " + folder + "/gate/\n";
  const std::string policy = "  egret config check --config " + folder + "/gate/egret.yaml\n";
  if (kind == StarterKind::devcontainer)
    return program + policy + "then reopen the project in its container\n";
  const std::string compose = "  docker compose -f " + folder + "/compose.yaml ";
  return program + policy + compose + "up -d --build --wait\n" + compose +
         "exec sandbox sh -c '. /egret/env; exec bash'\n";
}

}  // namespace

int init_config_verb(const std::optional<std::string>& given, bool force) {
  const std::string path = given.value_or("egret.yaml");
  if (!force && read_text_file(path)) {
    return fail({"egret: " + path + " is already there; --force replaces it", 2});
  }
  if (auto written = write_text_file(path, std::string(starter_config()), 0600); !written)
    return fail(written.error());
  std::cout << "wrote " << path << "; look at it, then: egret config check\n";
  return 0;
}

int init_files_verb(StarterKind kind, const std::optional<std::string>& project, bool force) {
  namespace fs = std::filesystem;
  const Starter starter = starter_files(kind);
  const fs::path folder = fs::path(project.value_or("")) / starter.folder;
  std::string there;
  for (const TemplateFile& file : starter.files) {
    std::error_code error;
    const fs::path path = folder / file.path;
    if (fs::exists(fs::symlink_status(path, error))) there += "\n  " + path.string();
  }
  if (!force && !there.empty())
    return fail({"egret: already there, and not touched; --force replaces them:" + there, 2});
  for (const TemplateFile& file : starter.files) {
    const fs::path path = folder / file.path;
    if (auto made = make_readable_folder(path.parent_path()); !made) return fail(made.error());
    const unsigned mode = path.extension() == ".sh" ? runnable : readable;
    if (auto written = write_text_file(path, named_after(project.value_or(""), file.text), mode);
        !written)
      return fail(written.error());
    std::cout << "wrote " << path.string() << "\n";
  }
  std::cout << "look at them, then:\n" << next_steps(kind, folder.string());
  return 0;
}

}  // namespace egret
