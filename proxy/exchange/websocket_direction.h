// One direction of a WebSocket as a session passes it on: rewritten where there is something to
// look for, else followed and passed as it is, without a copy and without being unmasked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/websocket_rewriter.h"

namespace egret {

class WebSocketDirection {
 public:
  // `snapshot` and `target` live longer. `random` makes the masks of frames towards an origin.
  WebSocketDirection(WebSocketSide sender, const std::optional<WebSocketDeflate>& deflate,
                     const SandboxSnapshot& snapshot, const Target& target, RandomSource random);

  struct Step {
    std::string_view data;              // to be sent; valid until the next call, as `in` is
    bool more = false;                  // call again before reading on
    std::optional<WebSocketStop> stop;  // nothing may follow `data` but a close frame of our own
  };
  // Takes `in`, or some of it off its front.
  Step step(std::string_view& in);

  // A close frame of the gate's own; empty where none can be said: in the middle of a frame that
  // was passed as it is, or behind a close.
  std::string_view close(std::uint16_t code, std::string_view reason);
  bool closed() const;

  std::uint64_t frames() const { return rewriter_ ? rewriter_->frames() : frames_.frames(); }
  std::uint64_t redactions() const { return rewriter_ ? rewriter_->redactions() : 0; }
  std::vector<PlannedUse> uses() const;

 private:
  WebSocketFrames frames_;
  std::optional<WebSocketRewriter> rewriter_;
  WebSocketWriter writer_;
  std::string out_;
};

}  // namespace egret
