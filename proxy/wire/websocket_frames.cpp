#include "proxy/wire/websocket_frames.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "proxy/wire/octet_reader.h"

namespace egret {
namespace {

constexpr unsigned final_bit = 0x80;
constexpr unsigned reserved_bits = 0x70;
constexpr unsigned deflate_bit = 0x40;  // RSV1, RFC 7692
constexpr unsigned opcode_bits = 0x0f;
constexpr unsigned mask_bit = 0x80;
constexpr unsigned length_16 = 126;
constexpr unsigned length_64 = 127;

std::size_t head_bytes(std::string_view head) {
  if (head.size() < 2) return 2;
  const unsigned second = static_cast<unsigned char>(head[1]);
  const unsigned length = second & 0x7f;
  const std::size_t extended = length == length_16 ? 2 : length == length_64 ? 8 : 0;
  return 2 + extended + ((second & mask_bit) != 0 ? 4 : 0);
}

// Masks or unmasks in place, from this octet of the key on.
void apply_mask(std::span<char> bytes, const WebSocketKey& key, std::size_t phase) {
  std::array<unsigned char, 8> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i)
    turned[i] = key[(phase + i) % key.size()];
  std::uint64_t word_key = 0;
  std::memcpy(&word_key, turned.data(), sizeof word_key);
  std::size_t done = 0;
  for (; bytes.size() - done >= sizeof word_key; done += sizeof word_key) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + done, sizeof word);
    word ^= word_key;
    std::memcpy(bytes.data() + done, &word, sizeof word);
  }
  for (std::size_t i = 0; done < bytes.size(); ++done, ++i)
    bytes[done] = static_cast<char>(static_cast<unsigned char>(bytes[done]) ^ turned[i]);
}

void append_number(std::string& out, std::uint64_t number, unsigned octets) {
  while (octets-- > 0)
    out.push_back(static_cast<char>(number >> (8 * octets) & 0xff));
}

}  // namespace

Result<WebSocketHeads::Progress, WireFault> WebSocketHeads::take(char octet) {
  if (fault_ == nullptr) fault_ = check_octet(octet);
  if (fault_ != nullptr) {
    const WireFault fault{400, Reason::framing_invalid, fault_};
    return sender_ == WebSocketSide::client ? fault : origin_fault(fault);
  }
  return octets_.empty() ? Progress::complete : Progress::more;
}

const char* WebSocketHeads::check_octet(char octet) {
  if (close_seen_) return "octets behind a close frame";
  octets_.push_back(octet);
  if (octets_.size() == 1) return check_first_octet();
  if (octets_.size() == 2) {
    if (const char* what = check_second_octet()) return what;
  }
  return octets_.size() == head_bytes(octets_) ? finish() : nullptr;
}

const char* WebSocketHeads::check_first_octet() const {
  const unsigned first = static_cast<unsigned char>(octets_[0]);
  const auto opcode = static_cast<WebSocketOpcode>(first & opcode_bits);
  const bool is_data = opcode == WebSocketOpcode::text || opcode == WebSocketOpcode::binary;
  const unsigned allowed = deflate_ && is_data ? deflate_bit : 0;
  if ((first & reserved_bits & ~allowed) != 0) return "a reserved bit without an extension";
  switch (opcode) {
    case WebSocketOpcode::continuation:
      return in_message_ ? nullptr : "a continuation of nothing";
    case WebSocketOpcode::text:
    case WebSocketOpcode::binary:
      return in_message_ ? "a new message inside another" : nullptr;
    case WebSocketOpcode::close:
    case WebSocketOpcode::ping:
    case WebSocketOpcode::pong:
      return (first & final_bit) != 0 ? nullptr : "a fragmented control frame";
  }
  return "a reserved opcode";
}

const char* WebSocketHeads::check_second_octet() const {
  const auto opcode = static_cast<WebSocketOpcode>(octets_[0] & opcode_bits);
  const unsigned second = static_cast<unsigned char>(octets_[1]);
  const bool masked = (second & mask_bit) != 0;
  if (masked != (sender_ == WebSocketSide::client)) {
    return masked ? "a masked frame of a server" : "an unmasked frame of a client";
  }
  const unsigned length = second & 0x7f;
  if (is_control(opcode) && length > websocket_control_bytes_max) {
    return "a control frame over 125 bytes";
  }
  if (opcode == WebSocketOpcode::close && length == 1) return "a close frame with half a code";
  return nullptr;
}

const char* WebSocketHeads::finish() {
  const unsigned first = static_cast<unsigned char>(octets_[0]);
  std::uint64_t length = static_cast<unsigned char>(octets_[1]) & 0x7fu;
  OctetReader reader(std::string_view(octets_).substr(2));
  if (length == length_16) {
    length = reader.number(2);
    if (length < length_16) return "a length in more octets than it needs";
  } else if (length == length_64) {
    const std::uint64_t high = reader.number(4);
    length = high << 32 | reader.number(4);
    if (length >> 63 != 0) return "a length over 63 bits";
    if (length <= 0xffff) return "a length in more octets than it needs";
  }
  if (sender_ == WebSocketSide::client) {
    const std::string_view key = reader.bytes(key_.size());
    std::copy(key.begin(), key.end(), key_.begin());
  }
  head_.opcode = static_cast<WebSocketOpcode>(first & opcode_bits);
  head_.final = (first & final_bit) != 0;
  head_.compressed = (first & deflate_bit) != 0;
  length_ = length;
  octets_.clear();
  ++frames_;
  if (!is_control(head_.opcode)) in_message_ = !head_.final;
  if (head_.opcode == WebSocketOpcode::close) close_seen_ = true;
  return nullptr;
}

Result<void, WireFault> WebSocketFrames::feed(std::string_view in) {
  while (!in.empty()) {
    if (payload_left_ != 0) {
      const std::uint64_t taken = std::min<std::uint64_t>(payload_left_, in.size());
      payload_left_ -= taken;
      in.remove_prefix(static_cast<std::size_t>(taken));
      continue;
    }
    const auto progress = heads_.take(in.front());
    if (!progress) return progress.error();
    in.remove_prefix(1);
    if (*progress == WebSocketHeads::Progress::complete) payload_left_ = heads_.length();
  }
  return {};
}

Result<WebSocketReader::Event, WireFault> WebSocketReader::next(std::string_view& in) {
  if (in_frame_ && payload_left_ == 0) {
    in_frame_ = false;
    return Event{Event::Kind::end, {}};
  }
  if (in_frame_) {
    if (in.empty()) return Event{};
    const std::uint64_t taken = std::min<std::uint64_t>(
        {payload_left_, std::uint64_t{in.size()}, std::uint64_t{piece_bytes_max}});
    std::string_view payload = in.substr(0, static_cast<std::size_t>(taken));
    in.remove_prefix(payload.size());
    payload_left_ -= taken;
    if (heads_.sender() == WebSocketSide::client) {
      piece_.assign(payload);
      apply_mask(piece_, heads_.key(), phase_);
      phase_ = (phase_ + payload.size()) % heads_.key().size();
      payload = piece_;
    }
    return Event{Event::Kind::payload, payload};
  }
  while (!in.empty()) {
    const auto progress = heads_.take(in.front());
    if (!progress) return progress.error();
    in.remove_prefix(1);
    if (*progress == WebSocketHeads::Progress::complete) {
      in_frame_ = true;
      payload_left_ = heads_.length();
      phase_ = 0;
      return Event{Event::Kind::head, {}};
    }
  }
  return Event{};
}

WebSocketWriter::WebSocketWriter(WebSocketSide sender, RandomSource random)
    : sender_(sender), random_(std::move(random)) {}

void WebSocketWriter::write(WebSocketFrameHead head, std::string_view payload, std::string& out) {
  if (is_control(head.opcode) && payload.size() > websocket_control_bytes_max) std::abort();
  const unsigned first = (head.final ? final_bit : 0u) | (head.compressed ? deflate_bit : 0u) |
                         static_cast<unsigned>(head.opcode);
  out.push_back(static_cast<char>(first));
  const bool masked = sender_ == WebSocketSide::client;
  const auto length_octet = [&](std::size_t length) {
    out.push_back(static_cast<char>((masked ? mask_bit : 0u) | static_cast<unsigned>(length)));
  };
  if (payload.size() < length_16) {
    length_octet(payload.size());
  } else if (payload.size() <= 0xffff) {
    length_octet(length_16);
    append_number(out, payload.size(), 2);
  } else {
    length_octet(length_64);
    append_number(out, payload.size(), 8);
  }
  if (!masked) {
    out.append(payload);
    return;
  }
  const WebSocketKey key = next_key();
  out.append(key.begin(), key.end());
  const std::size_t begin = out.size();
  out.append(payload);
  apply_mask(std::span(out).subspan(begin), key, 0);
}

void WebSocketWriter::write_close(std::uint16_t code, std::string_view reason, std::string& out) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason.substr(0, websocket_control_bytes_max - payload.size());
  write({WebSocketOpcode::close, true, false}, payload, out);
}

WebSocketKey WebSocketWriter::next_key() {
  if (keys_used_ == keys_.size()) {
    random_(keys_);
    keys_used_ = 0;
  }
  WebSocketKey key;
  std::copy_n(keys_.begin() + static_cast<std::ptrdiff_t>(keys_used_), key.size(), key.begin());
  keys_used_ += key.size();
  return key;
}

}  // namespace egret
