#include <algorithm>

#include "proxy/wire/octet_reader.h"
#include "proxy/wire/websocket.h"

namespace egret {
namespace {

constexpr unsigned final_bit = 0x80;
constexpr unsigned reserved_bits = 0x70;
constexpr unsigned deflate_bit = 0x40;  // RSV1, RFC 7692
constexpr unsigned mask_bit = 0x80;
constexpr unsigned length_16 = 126;
constexpr unsigned length_64 = 127;
constexpr std::uint64_t control_payload_max = 125;
enum Opcode : unsigned { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

std::size_t head_bytes(std::string_view head) {
  if (head.size() < 2) return 2;
  const unsigned second = static_cast<unsigned char>(head[1]);
  const unsigned length = second & 0x7f;
  const std::size_t extended = length == length_16 ? 2 : length == length_64 ? 8 : 0;
  return 2 + extended + ((second & mask_bit) != 0 ? 4 : 0);
}

}  // namespace

Result<void, WireFault> WebSocketFrames::feed(std::string_view in) {
  while (!in.empty()) {
    if (payload_left_ != 0) {
      const std::uint64_t taken = std::min<std::uint64_t>(payload_left_, in.size());
      payload_left_ -= taken;
      in.remove_prefix(static_cast<std::size_t>(taken));
      continue;
    }
    if (fault_ == nullptr) fault_ = head_octet(in.front());
    if (fault_ != nullptr) {
      const WireFault fault{400, Reason::framing_invalid, fault_};
      return sender_ == WebSocketSide::client ? fault : origin_fault(fault);
    }
    in.remove_prefix(1);
  }
  return {};
}

const char* WebSocketFrames::head_octet(char octet) {
  if (close_seen_) return "octets behind a close frame";
  head_.push_back(octet);
  if (head_.size() == 1) return check_first_octet();
  if (head_.size() == 2) {
    if (const char* what = check_second_octet()) return what;
  }
  return head_.size() == head_bytes(head_) ? finish_head() : nullptr;
}

const char* WebSocketFrames::check_first_octet() {
  const unsigned first = static_cast<unsigned char>(head_[0]);
  const unsigned opcode = first & 0x0f;
  const bool is_data = opcode == text || opcode == binary;
  const unsigned allowed = deflate_ && is_data ? deflate_bit : 0;
  if ((first & reserved_bits & ~allowed) != 0) return "a reserved bit without an extension";
  switch (opcode) {
    case continuation:
      return in_message_ ? nullptr : "a continuation of nothing";
    case text:
    case binary:
      return in_message_ ? "a new message inside another" : nullptr;
    case close:
    case ping:
    case pong:
      return (first & final_bit) != 0 ? nullptr : "a fragmented control frame";
    default:
      return "a reserved opcode";
  }
}

const char* WebSocketFrames::check_second_octet() {
  const unsigned opcode = static_cast<unsigned char>(head_[0]) & 0x0f;
  const unsigned second = static_cast<unsigned char>(head_[1]);
  const bool masked = (second & mask_bit) != 0;
  if (masked != (sender_ == WebSocketSide::client)) {
    return masked ? "a masked frame of a server" : "an unmasked frame of a client";
  }
  const unsigned length = second & 0x7f;
  if (opcode >= close && length > control_payload_max) return "a control frame over 125 bytes";
  if (opcode == close && length == 1) return "a close frame with half a code";
  return nullptr;
}

const char* WebSocketFrames::finish_head() {
  const unsigned first = static_cast<unsigned char>(head_[0]);
  const unsigned opcode = first & 0x0f;
  std::uint64_t length = static_cast<unsigned char>(head_[1]) & 0x7fu;
  OctetReader reader(std::string_view(head_).substr(2));
  if (length == length_16) {
    length = reader.number(2);
    if (length < length_16) return "a length in more octets than it needs";
  } else if (length == length_64) {
    const std::uint64_t high = reader.number(4);
    length = high << 32 | reader.number(4);
    if (length >> 63 != 0) return "a length over 63 bits";
    if (length <= 0xffff) return "a length in more octets than it needs";
  }
  payload_left_ = length;
  head_.clear();
  ++frames_;
  if (opcode < close) in_message_ = (first & final_bit) == 0;
  if (opcode == close) close_seen_ = true;
  return nullptr;
}

}  // namespace egret
