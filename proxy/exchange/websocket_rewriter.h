// One direction of a WebSocket, written afresh: frames are read, messages inflated, looked through,
// deflated again and framed again, piece by piece. No message is held whole, and none waits for the
// next: what is settled leaves with the step that settled it, as a fragment of its message.
//
// Text is not checked for being UTF-8; needles are ASCII, so a replacement never splits a
// character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "proxy/exchange/websocket_guard.h"
#include "proxy/wire/message_deflate.h"
#include "proxy/wire/websocket.h"
#include "proxy/wire/websocket_frames.h"

namespace egret {

// Whether there is anything to look for in this sandbox's WebSockets; else frames may be followed
// with WebSocketFrames and passed as they are.
bool rewrites_websockets(const SandboxSnapshot& snapshot);

// A peer that broke the rules.
WebSocketStop stop_of(const WireFault& fault);

class WebSocketRewriter {
 public:
  // `snapshot` and `target` live longer. `random` makes the masks of frames towards an origin.
  WebSocketRewriter(WebSocketSide sender, const std::optional<WebSocketDeflate>& deflate,
                    const SandboxSnapshot& snapshot, const Target& target, RandomSource random);
  ~WebSocketRewriter();
  WebSocketRewriter(const WebSocketRewriter&) = delete;
  WebSocketRewriter& operator=(const WebSocketRewriter&) = delete;

  enum class Progress : std::uint8_t { more, waiting };
  // Takes some of `in` off its front and appends whole frames to `out`, for about 32 KiB of
  // messages. `more`: call again, also where `in` is empty. `waiting`: `in` has been taken whole.
  // A stop stays: the message it stands in is never completed; what is in `out` may be sent.
  Result<Progress, WebSocketStop> step(std::string_view& in, std::string& out);

  // The sender's close has been passed on.
  bool closed() const { return closed_; }

  std::uint64_t frames() const { return reader_.frames(); }
  std::uint64_t redactions() const { return guard_.redactions(); }
  std::vector<PlannedUse> uses() const { return guard_.uses(); }

 private:
  // The message that is under way.
  struct Message {
    WebSocketOpcode opcode = WebSocketOpcode::text;
    bool compressed = false;
    bool begun = false;   // its first fragment has been written
    bool ending = false;  // its last frame has been read
  };
  using Stop = std::optional<WebSocketStop>;

  Result<Progress, WebSocketStop> run(std::string_view& in, std::string& out);
  Stop take(const WebSocketReader::Event& event, std::string& out);
  void begin_frame();
  Stop take_payload(std::string_view payload);
  Stop end_frame(std::string& out);
  Stop end_control(std::string& out);
  Stop inflate_some();
  Stop end_message(std::string& out);
  void write_fragment(bool final, std::string& out);
  bool inflating() const { return inflater_ && inflater_->has_more(); }
  WebSocketGuard::Kind kind() const;

  WebSocketSide sender_;
  std::optional<WebSocketDeflate> deflate_;
  WebSocketReader reader_;
  WebSocketGuard guard_;
  WebSocketWriter writer_;
  std::optional<MessageInflater> inflater_;  // from the first compressed message on
  std::optional<MessageDeflater> deflater_;
  Message message_;
  std::string control_;   // the payload of a control frame
  std::string inflated_;  // a step of a compressed message
  std::string plain_;     // the same, looked through
  std::string settled_;   // payload that the next fragment carries
  std::size_t step_bytes_ = 0;
  bool closed_ = false;
  Stop stop_;
};

}  // namespace egret
