#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <doctest/doctest.h>

#include "proxy/io/stream.h"

namespace egret {

// A stream on one end of a socket pair, the bare other end, and the loop that runs both.
struct StreamPair {
  StreamPair() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    StreamSocket socket(context);
    socket.assign(asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
    stream = std::make_unique<Stream>(std::move(socket), deadlines);
    peer = ends[1];
    deadlines.start();
  }
  ~StreamPair() {
    if (peer >= 0) ::close(peer);
  }
  void peer_writes(std::string_view text) {
    REQUIRE(::write(peer, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void peer_ends() { ::shutdown(peer, SHUT_WR); }
  void peer_closes() {
    ::close(peer);
    peer = -1;
  }

  // Runs the task to its end and gives its result.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T value) {
      REQUIRE_FALSE(thrown);
      result = std::move(value);
      context.stop();
    });
    context.restart();
    context.run();
    REQUIRE(result.has_value());
    return *result;
  }

  asio::io_context context{1};
  Deadlines deadlines{context};
  std::unique_ptr<Stream> stream;
  int peer = -1;
};

}  // namespace egret
