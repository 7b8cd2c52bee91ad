// The control socket of a running gate: `<state>/control/<pid>.sock`, 0600 in a 0700 directory, for
// the gate's own user and root alone (SO_PEERCRED). One line in (`status` or `reload`), one JSON
// line out. Nothing of it is reachable from inside a sandbox (ATTACKS J07).
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "policy/result.h"
#include "proxy/server/gate.h"

namespace egret {

class ControlSocket {
 public:
  static Result<std::unique_ptr<ControlSocket>, Failure> open(Gate& gate, const std::string& state);
  ~ControlSocket();

 private:
  ControlSocket(Gate& gate, int fd, int stop_read, int stop_write, std::string path);
  void serve();
  void answer(int fd);
  Gate& gate_;
  int fd_;
  int stop_read_;
  int stop_write_;
  std::string path_;
  std::thread thread_;
};

struct GateAnswer {
  int pid = 0;
  std::string json;
};
// Asks every gate of this state directory, or says that none runs. Sockets of dead gates are
// removed.
std::vector<GateAnswer> ask_gates(const std::string& state, const std::string& line);

}  // namespace egret
