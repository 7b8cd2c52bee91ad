// The control socket of a running gate: `<state>/control/<pid>.sock`, 0600 in a 0700 directory, for
// the gate's own user and root alone (SO_PEERCRED). A line in, a line out: `status` and `reload`
// are answered in JSON; `mode`, `attachable`, `attach` and `detach`, which the keeper of attached
// namespaces says (sandbox-glue/keeper), with `ok` or `error WHY`. Nothing of it is reachable from
// inside a sandbox (ATTACKS J07).
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "proxy/server/control_peer.h"
#include "proxy/server/gate.h"

namespace egret {

class ControlSocket {
 public:
  // Found by others from now on; answers after start().
  static Result<std::unique_ptr<ControlSocket>, Failure> open(Gate& gate, const std::string& state);
  ~ControlSocket();
  // REQUIRES: the gate has started.
  void start();

 private:
  ControlSocket(Gate& gate, UniqueFd socket, UniqueFd stop_read, UniqueFd stop_write,
                std::string path);
  void serve();
  void accept_peer();
  Gate& gate_;
  UniqueFd socket_;
  UniqueFd stop_read_;
  UniqueFd stop_write_;
  std::string path_;
  std::vector<std::unique_ptr<ControlPeer>> peers_;  // the thread's own
  std::thread thread_;
};

struct GateAnswer {
  int pid = 0;
  std::string json;
};
// Asks every gate of this state directory, or says that none runs. Sockets of dead gates are
// removed.
std::string control_directory(const std::string& state);
std::vector<GateAnswer> ask_gates(const std::string& state, const std::string& line);

}  // namespace egret
