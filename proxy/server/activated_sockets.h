// Listening sockets that a service manager opened for us and hands over (sd_listen_fds(3)): the
// gate then needs no right to bind them, and none of its restarts loses a connection.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "proxy/io/socket_address.h"
#include "proxy/server/setup.h"

namespace egret {

// Where a socket listens: an address with its port, or the path of a Unix socket.
using ListenPlace = std::variant<SocketAddress, std::string>;
std::string text_of(const ListenPlace& place);

class ActivatedSockets {
 public:
  ActivatedSockets() = default;  // none
  // The descriptors that LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES announce; the variables go.
  // Another process's are none. REQUIRES: no other thread yet.
  static Result<ActivatedSockets, Failure> from_environment();
  // Takes the descriptors over. One that is no listening TCP or Unix stream socket is a failure.
  static Result<ActivatedSockets, Failure> from_descriptors(int first, unsigned count);

  // The socket that listens exactly there, non-blocking; nothing where there is none (any more).
  std::optional<UniqueFd> take(const ListenPlace& place);
  // What nobody took.
  std::vector<ListenPlace> left() const;

 private:
  struct Socket {
    UniqueFd fd;
    ListenPlace place;
  };
  std::vector<Socket> sockets_;
};

}  // namespace egret
