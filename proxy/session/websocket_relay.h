// WebSocket frames both ways after a checked upgrade: every frame is parsed and counted, and
// secrets do not pass down (ATTACKS D19, F03).
#pragma once

#include <cstdint>
#include <optional>

#include "proxy/exchange/exchange.h"
#include "proxy/io/read_buffer.h"
#include "proxy/io/stream.h"
#include "proxy/wire/websocket.h"

namespace egret {

struct WebSocketEnd {
  std::uint64_t bytes_up = 0, bytes_down = 0;
  std::uint64_t frames_up = 0, frames_down = 0;
  std::uint64_t redactions = 0;
  std::optional<Reason> error;
};

class WebSocketRelay {
 public:
  WebSocketRelay(Stream& client, ReadBuffer& client_buffer, Stream& origin,
                 ReadBuffer& origin_buffer, const SandboxSnapshot& snapshot, bool deflate_agreed)
      : client_(client),
        client_buffer_(client_buffer),
        origin_(origin),
        origin_buffer_(origin_buffer),
        snapshot_(snapshot),
        deflate_(deflate_agreed) {}

  Task<WebSocketEnd> run();

 private:
  Task<void> pump(Stream& from, ReadBuffer& buffer, Stream& to, WebSocketFrames& frames,
                  std::uint64_t& bytes);
  Stream& client_;
  ReadBuffer& client_buffer_;
  Stream& origin_;
  ReadBuffer& origin_buffer_;
  const SandboxSnapshot& snapshot_;
  bool deflate_;
  WebSocketEnd end_;
};

}  // namespace egret
