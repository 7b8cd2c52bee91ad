// What a person asks to run in a sandbox, whatever kind it is.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace egret {

// A file that appears read-only inside; where it can, its content never touches the disk.
struct SandboxFile {
  std::string path;  // absolute, as seen inside, e.g. /run/egret/ca-bundle.pem
  std::string content;
};

struct SandboxRequest {
  std::vector<std::string> command;  // argv; found through PATH of `environment`
  std::string working_directory;     // absolute; writable inside unless notes() says otherwise
  std::vector<std::string> writable_paths;  // --rw; must exist
  // Files and directories that must not be visible: state directory, secret files, control socket.
  // What does not exist is skipped. They win over everything else that is visible.
  std::vector<std::string> hidden_paths;
  // Complete where the command shares the host's system; where it has a system of its own (a
  // container's image), what is added to that system's.
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<SandboxFile> files;
};

}  // namespace egret
