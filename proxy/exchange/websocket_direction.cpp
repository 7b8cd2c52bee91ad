#include "proxy/exchange/websocket_direction.h"

namespace egret {

WebSocketDirection::WebSocketDirection(WebSocketSide sender,
                                       const std::optional<WebSocketDeflate>& deflate,
                                       const SandboxSnapshot& snapshot, const Target& target,
                                       RandomSource random)
    : frames_(sender, deflate.has_value()), writer_(sender, random) {
  if (rewrites_websockets(snapshot)) rewriter_.emplace(sender, deflate, snapshot, target, random);
}

WebSocketDirection::Step WebSocketDirection::step(std::string_view& in) {
  Step step;
  if (rewriter_) {
    out_.clear();
    const auto progress = rewriter_->step(in, out_);
    step.data = out_;
    if (!progress) {
      step.stop = progress.error();
    } else {
      step.more = *progress == WebSocketRewriter::Progress::more;
    }
    return step;
  }
  if (const auto followed = frames_.feed(in); !followed) {
    step.stop = stop_of(followed.error());
    return step;
  }
  step.data = in;
  in = {};
  return step;
}

std::string_view WebSocketDirection::close(std::uint16_t code, std::string_view reason) {
  out_.clear();
  if (closed() || (!rewriter_ && !frames_.between_frames())) return out_;
  writer_.write_close(code, reason, out_);
  return out_;
}

bool WebSocketDirection::closed() const {
  return rewriter_ ? rewriter_->closed() : frames_.close_seen();
}

std::vector<PlannedUse> WebSocketDirection::uses() const {
  return rewriter_ ? rewriter_->uses() : std::vector<PlannedUse>();
}

}  // namespace egret
