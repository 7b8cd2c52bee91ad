// WebSocket frames (RFC 6455 part 5) of one direction: followed, read with their payload unmasked,
// and written. Nothing is collected: a frame of 2^63 bytes streams through. What breaks the RFC is
// a fault, whatever the pieces (ATTACKS D19).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/secret/placeholder.h"
#include "proxy/wire/message.h"

namespace egret {

// Who sends the frames: clients mask, servers do not.
enum class WebSocketSide : std::uint8_t { client, server };

enum class WebSocketOpcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};
constexpr bool is_control(WebSocketOpcode opcode) {
  return opcode >= WebSocketOpcode::close;
}
inline constexpr std::size_t websocket_control_bytes_max = 125;

using WebSocketKey = std::array<unsigned char, 4>;

struct WebSocketFrameHead {
  WebSocketOpcode opcode = WebSocketOpcode::continuation;
  bool final = true;
  bool compressed = false;  // RSV1, RFC 7692: on the first frame of a message
};

// The heads of one direction's frames, octet by octet, and whether each may follow the ones before:
// reserved bits, opcodes, control frames, order of continuations, masks, lengths, nothing behind a
// close.
class WebSocketHeads {
 public:
  explicit WebSocketHeads(WebSocketSide sender, bool deflate_agreed = false)
      : sender_(sender), deflate_(deflate_agreed) {}

  enum class Progress : std::uint8_t { more, complete };
  // The next octet of a head; a fault stays (502, upstream_framing where the server sent it).
  Result<Progress, WireFault> take(char octet);

  // Of the last complete one.
  const WebSocketFrameHead& head() const { return head_; }
  std::uint64_t length() const { return length_; }
  const WebSocketKey& key() const { return key_; }

  WebSocketSide sender() const { return sender_; }
  bool in_head() const { return !octets_.empty(); }
  bool in_message() const { return in_message_; }
  bool close_seen() const { return close_seen_; }
  std::uint64_t frames() const { return frames_; }

 private:
  // What is wrong, or null.
  const char* check_octet(char octet);
  const char* check_first_octet() const;
  const char* check_second_octet() const;
  const char* finish();

  WebSocketSide sender_;
  bool deflate_;
  std::string octets_;  // an unfinished head, at most 14 bytes
  WebSocketFrameHead head_;
  std::uint64_t length_ = 0;
  WebSocketKey key_{};
  bool in_message_ = false;
  bool close_seen_ = false;
  std::uint64_t frames_ = 0;
  const char* fault_ = nullptr;  // stays
};

// Follows one direction whose bytes are passed on as they are. Every byte given is accounted for;
// the caller forwards exactly the bytes that were accepted.
class WebSocketFrames {
 public:
  explicit WebSocketFrames(WebSocketSide sender, bool deflate_agreed = false)
      : heads_(sender, deflate_agreed) {}
  // All of `in` is well-formed so far, or a fault.
  Result<void, WireFault> feed(std::string_view in);
  std::uint64_t frames() const { return heads_.frames(); }
  bool close_seen() const { return heads_.close_seen(); }
  // What was fed ends with the end of a frame.
  bool between_frames() const { return payload_left_ == 0 && !heads_.in_head(); }

 private:
  WebSocketHeads heads_;
  std::uint64_t payload_left_ = 0;
};

// Reads one direction: the head of each frame, its payload in pieces, its end.
class WebSocketReader {
 public:
  static constexpr std::size_t piece_bytes_max = std::size_t{16} << 10;

  explicit WebSocketReader(WebSocketSide sender, bool deflate_agreed = false)
      : heads_(sender, deflate_agreed) {}

  struct Event {
    enum class Kind : std::uint8_t { none, head, payload, end };  // none: nothing more in `in`
    Kind kind = Kind::none;
    std::string_view payload;  // unmasked; valid until the next call
  };
  // Takes the next event off the front of `in`.
  Result<Event, WireFault> next(std::string_view& in);

  const WebSocketFrameHead& head() const { return heads_.head(); }
  std::uint64_t frames() const { return heads_.frames(); }
  bool close_seen() const { return heads_.close_seen(); }

 private:
  WebSocketHeads heads_;
  bool in_frame_ = false;
  std::uint64_t payload_left_ = 0;
  std::size_t phase_ = 0;  // of the mask
  std::string piece_;
};

// Writes whole frames, masked with a fresh key each where the client is the sender.
class WebSocketWriter {
 public:
  WebSocketWriter(WebSocketSide sender, RandomSource random);
  // Appends one frame. The payload of a control frame has at most 125 bytes.
  void write(WebSocketFrameHead head, std::string_view payload, std::string& out);
  // A close frame; what does not fit of the reason is left out.
  void write_close(std::uint16_t code, std::string_view reason, std::string& out);

 private:
  WebSocketKey next_key();

  WebSocketSide sender_;
  RandomSource random_;
  std::array<unsigned char, 64> keys_{};
  std::size_t keys_used_ = 64;
};

}  // namespace egret
