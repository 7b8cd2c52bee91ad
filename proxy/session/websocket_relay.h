// WebSocket frames both ways after a checked upgrade: every frame is parsed and counted, and
// secrets do not pass down (ATTACKS D19, F03).
#pragma once

#include <cstdint>
#include <optional>

#include "proxy/exchange/exchange.h"
#include "proxy/io/http.h"
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
  // Both exchanges are behind the head that agreed on it.
  WebSocketRelay(ClientExchange& client, OriginExchange& origin, const SandboxSnapshot& snapshot,
                 bool deflate_agreed)
      : client_(client), origin_(origin), snapshot_(snapshot), deflate_(deflate_agreed) {}

  Task<WebSocketEnd> run();

 private:
  Task<void> pump_up();
  Task<void> pump_down();
  void stop();
  ClientExchange& client_;
  OriginExchange& origin_;
  const SandboxSnapshot& snapshot_;
  bool deflate_;
  WebSocketEnd end_;
};

}  // namespace egret
