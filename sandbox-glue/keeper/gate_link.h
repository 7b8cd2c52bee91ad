// The keeper's connection to the control socket of the running gate (proxy/server/control.h): finds
// it, says one line after the other and hands back the answers. When it breaks, the gate is gone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/unique_fd.h"

namespace egret {

class GateLink {
 public:
  explicit GateLink(std::string control_directory);

  // Readable when something has changed in the directory: then look() again.
  int changes() const { return changes_.get(); }
  // Tries every gate there that is not known to serve a command of its own; true when connected.
  bool look();
  // Whether a gate is there that did not answer: look() again after a while.
  bool somebody_is_silent() const { return silent_; }

  bool connected() const { return static_cast<bool>(gate_); }
  int fd() const { return gate_.get(); }
  // False when the gate is gone; then the link is closed.
  bool say(std::string_view line, const std::vector<int>& descriptors);
  // What has come, in whole lines; when the gate is gone, the link is closed.
  std::vector<std::string> hear();

 private:
  bool try_gate(const std::string& path);
  std::string directory_;
  UniqueFd changes_;
  UniqueFd gate_;
  std::string heard_;
  bool silent_ = false;
};

// A Unix socket of this type, connected to what listens at `path`; none, with errno, where that
// fails.
UniqueFd connect_unix(const std::string& path, int type);

}  // namespace egret
