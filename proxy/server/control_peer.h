// One connection to the control socket: requests a line each, some with descriptors, answered in
// their order. The namespaces that were attached over it are its peer's to keep: when the peer
// goes, they are detached.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "policy/unique_fd.h"
#include "proxy/server/gate.h"

namespace egret {

class ControlPeer {
 public:
  ControlPeer(Gate& gate, UniqueFd socket);

  int fd() const { return socket_.get(); }
  // Reads what is there and answers whole lines; false when the connection is over.
  bool serve();
  // Detaches what was attached over it.
  void end();

 private:
  std::string answer(const std::string& line);
  std::string attach(const std::string& words);
  std::string detach(const std::string& label);

  Gate& gate_;
  UniqueFd socket_;
  std::string input_;
  std::vector<UniqueFd> descriptors_;  // that came with the line being read
  std::set<std::string> attached_;
};

}  // namespace egret
