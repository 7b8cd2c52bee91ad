// Stands where the gate stands: accepts on a namespace's sockets from outside, says what arrived,
// and answers so that the program inside sees that it was heard.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "sandbox-glue/namespace/sockets.h"

namespace egret::test {

class FakeGate {
 public:
  using Report = std::function<void(const std::string& line)>;

  // Lines are "tcp 192.0.2.1 443", "dns-udp 4", "dns-tcp 6" and so on. A TCP client is sent the
  // line that it caused; a DNS datagram comes back as it is.
  FakeGate(NamespaceSockets sockets, Report report);
  ~FakeGate();

 private:
  void serve();
  void accept_tcp(const UniqueFd& listener);

  NamespaceSockets sockets_;
  Report report_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace egret::test
