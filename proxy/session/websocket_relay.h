// WebSocket frames both ways after a checked upgrade: every frame is parsed and counted,
// placeholders in what the client says are filled in or refused, and secrets do not pass down
// (ATTACKS D19, F01, F02, F03).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proxy/exchange/websocket_direction.h"
#include "proxy/io/http.h"

namespace egret {

struct WebSocketEnd {
  std::uint64_t bytes_up = 0, bytes_down = 0;
  std::uint64_t frames_up = 0, frames_down = 0;
  std::uint64_t redactions = 0;
  std::vector<PlannedUse> uses;
  std::optional<Reason> error;
};

class WebSocketRelay {
 public:
  // Both exchanges are behind the head that agreed on it. All of them live longer.
  WebSocketRelay(ClientExchange& client, OriginExchange& origin, const SandboxSnapshot& snapshot,
                 const Target& target, const std::optional<WebSocketDeflate>& deflate);

  Task<WebSocketEnd> run();

 private:
  Task<void> pump_up();
  Task<void> pump_down();
  Task<bool> send_up(std::string_view data);
  Task<bool> send_down(std::string_view data);
  Task<void> close_client();
  void end_both();
  void stop(const WebSocketStop& stop);

  ClientExchange& client_;
  OriginExchange& origin_;
  WebSocketDirection up_;
  WebSocketDirection down_;
  std::optional<WebSocketStop> stop_;  // why the gate itself ended it
  bool client_is_gone_ = false;        // or has a part of a frame: no close can be said
  WebSocketEnd end_;
};

}  // namespace egret
