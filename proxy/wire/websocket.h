// WebSocket (RFC 6455): the handshake checked on both sides, then frames parsed and passed on one
// by one with their limits (ATTACKS D18, D19). Payload is passed as it streams; nothing is
// collected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "proxy/wire/message.h"

namespace egret {

// A GET with `upgrade: websocket` and nothing else in it, `connection` naming upgrade, version 13
// and a 16-byte key; HTTP/1.1, no body.
bool asks_for_upgrade(const RequestHead& head);  // any Upgrade field at all
Result<void, WireFault> check_websocket_request(const RequestHead& head);
// A 101 that answers it: Sec-WebSocket-Accept matches the key, no sub-protocol that was not
// offered, no extension but permessage-deflate, and that only if it was offered.
Result<void, WireFault> check_websocket_response(const RequestHead& request,
                                                 const ResponseHead& response);
std::string websocket_accept(std::string_view key);
// Of a checked response: frames may carry RSV1 (RFC 7692).
bool websocket_deflate_agreed(const ResponseHead& response);

enum class WebSocketSide : std::uint8_t {
  client,
  server
};  // who sends the frames: clients mask, servers do not

// Follows one direction of frames. Every byte given is accounted for; the caller forwards exactly
// the bytes that were accepted.
class WebSocketFrames {
 public:
  explicit WebSocketFrames(WebSocketSide sender, bool deflate_agreed = false)
      : sender_(sender), deflate_(deflate_agreed) {}
  // All of `in` is well-formed so far, or a fault (502, upstream_framing where the server sent it).
  Result<void, WireFault> feed(std::string_view in);
  std::uint64_t frames() const { return frames_; }
  bool close_seen() const { return close_seen_; }
  // What was fed ends with the end of a frame.
  bool between_frames() const { return payload_left_ == 0 && head_.empty(); }

 private:
  WebSocketSide sender_;
  bool deflate_;
  std::string head_;  // an unfinished frame head, at most 14 bytes
  std::uint64_t payload_left_ = 0;
  std::uint64_t frames_ = 0;
  bool in_message_ = false;
  bool close_seen_ = false;
  const char* fault_ = nullptr;  // stays
  // What is wrong with this octet of a frame head, or null.
  const char* head_octet(char octet);
  const char* check_first_octet();
  const char* check_second_octet();
  const char* finish_head();
};

}  // namespace egret
