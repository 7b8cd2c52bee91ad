// Accepting connections on a listening socket that is ours or was handed over, for as long as the
// worker runs or its namespace is attached. Running out of descriptors slows it down and never ends
// it (ATTACKS H02).
#pragma once

#include <functional>
#include <memory>

#include "policy/unique_fd.h"
#include "proxy/io/asio.h"
#include "proxy/session/attachment.h"
#include "proxy/session/connection.h"
#include "proxy/session/worker.h"

namespace egret {

using OnAccept = std::function<void(StreamSocket)>;

// One descriptor for all workers, closed when the last of them lets go.
using SharedFd = std::shared_ptr<const UniqueFd>;

// A socket in one worker's io_context, which does not own it, and in the part that ends it.
class ListeningSocket final : public AttachmentPart::Member {
 public:
  ListeningSocket(Worker& worker, SharedFd fd, AttachmentPartPtr part);
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  int fd() const { return fd_->get(); }
  bool ended() const { return part_ && part_->ended(); }
  // Until something is there to be read; false when it has ended.
  Task<bool> readable();

 private:
  void detached() override;
  SharedFd fd_;
  AttachmentPartPtr part_;
  asio::posix::stream_descriptor descriptor_;
};

// A listening TCP or Unix socket, non-blocking.
Task<void> accept_loop(Worker& worker, SharedFd fd, OnAccept on_accept, AttachmentPartPtr part);

// Runs a connection's coroutine to its end; what it throws ends that connection alone (ATTACKS
// D25).
void spawn_on(Worker& worker, Task<void> task);

// Accepts connections of sandboxes on this worker.
void listen_on(Worker& worker, SharedFd fd, std::shared_ptr<const ListenerFacts> facts,
               AttachmentPartPtr part = nullptr);

}  // namespace egret
