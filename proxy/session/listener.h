// Accepting connections on a listening socket that is ours or was handed over, for as long as the
// worker runs. Running out of descriptors slows it down and never ends it (ATTACKS H02).
#pragma once

#include <functional>
#include <memory>

#include "proxy/io/asio.h"
#include "proxy/session/connection.h"
#include "proxy/session/worker.h"

namespace egret {

using OnAccept = std::function<void(StreamSocket)>;

// Takes the descriptor over: a listening TCP or Unix socket, non-blocking.
Task<void> accept_loop(Worker& worker, int fd, OnAccept on_accept);

// Runs a connection's coroutine to its end; what it throws ends that connection alone (ATTACKS
// D25).
void spawn_on(Worker& worker, Task<void> task);

// Accepts connections of sandboxes on this worker.
void listen_on(Worker& worker, int fd, std::shared_ptr<const ListenerFacts> facts);

}  // namespace egret
