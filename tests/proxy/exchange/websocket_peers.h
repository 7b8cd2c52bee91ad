// Both ends of a WebSocket for tests of what stands between them: messages are framed and
// compressed in any way asked for, and read back from whatever frames they came in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/exchange/websocket_rewriter.h"
#include "tests/proxy/exchange/scene.h"

namespace egret::test {

inline const std::string socket_secret = "a value for sockets, \"longer\" than what stands for it";
inline const std::string socket_placeholder = "egret" + std::string(35, 'S');

// The grants of scene(), and one whose place is `websocket`.
inline SnapshotPtr socket_scene() {
  std::vector<Grant> grants = all_grants();
  grants.push_back(
      grant("SOCKET", socket_placeholder, socket_secret, {"socket.test"}, {"websocket"}));
  return make_snapshot("web", 1, Policy({allow("*").methods({}).at("egret.yaml:7")}),
                       GrantTable(std::move(grants)), AddressRules());
}

// Every key different, none of them random.
inline RandomSource counting_keys() {
  return [next = 0](std::span<unsigned char> bytes) mutable {
    for (unsigned char& byte : bytes)
      byte = static_cast<unsigned char>(next++ * 7 + 1);
  };
}

// A message, or a control frame.
struct SocketMessage {
  WebSocketOpcode opcode = WebSocketOpcode::text;
  std::string payload;
  bool compressed = false;
  bool operator==(const SocketMessage&) const = default;
};

inline ContextTakeover takeover_of(WebSocketSide side, const WebSocketDeflate& deflate) {
  const bool no = side == WebSocketSide::client ? deflate.client_no_context_takeover
                                                : deflate.server_no_context_takeover;
  return no ? ContextTakeover::no : ContextTakeover::yes;
}

inline unsigned window_of(WebSocketSide side, const WebSocketDeflate& deflate) {
  return side == WebSocketSide::client ? deflate.client_max_window_bits
                                       : deflate.server_max_window_bits;
}

class SocketSender {
 public:
  SocketSender(WebSocketSide side, const WebSocketDeflate& deflate)
      : writer_(side, counting_keys()),
        deflater_(window_of(side, deflate), takeover_of(side, deflate)) {}

  // `next_length` says how long each frame's payload is to be; `between` is called between frames.
  std::string send(
      const SocketMessage& message,
      const std::function<std::size_t()>& next_length = [] { return std::size_t{1} << 30; },
      const std::function<void(std::string&)>& between = {}) {
    std::string out;
    if (is_control(message.opcode)) {
      writer_.write({message.opcode, true, false}, message.payload, out);
      return out;
    }
    std::string coded = message.payload;
    if (message.compressed) {
      coded.clear();
      deflater_.push(message.payload, coded);
      deflater_.finish(coded);
    }
    std::string_view rest = coded;
    bool first = true;
    while (true) {
      const std::string_view piece = rest.substr(0, next_length());
      rest.remove_prefix(piece.size());
      const auto opcode = first ? message.opcode : WebSocketOpcode::continuation;
      writer_.write({opcode, rest.empty(), first && message.compressed}, piece, out);
      if (rest.empty()) return out;
      first = false;
      if (between) between(out);
    }
  }

 private:
  WebSocketWriter writer_;
  MessageDeflater deflater_;
};

// What arrives: messages that were completed, control frames, and how a last message began.
class SocketReceiver {
 public:
  SocketReceiver(WebSocketSide sender, const WebSocketDeflate& deflate)
      : reader_(sender, true),
        inflater_(window_of(sender, deflate), takeover_of(sender, deflate)) {}

  void receive(std::string_view in) {
    using Kind = WebSocketReader::Event::Kind;
    while (true) {
      const auto event = reader_.next(in);
      REQUIRE_MESSAGE(event.has_value(), event.error().what);
      if (event->kind == Kind::none) return;
      if (event->kind == Kind::head) begin();
      if (event->kind == Kind::payload) take(event->payload);
      if (event->kind == Kind::end) end();
    }
  }
  const std::vector<SocketMessage>& messages() const { return messages_; }
  const std::vector<SocketMessage>& controls() const { return controls_; }
  const std::optional<SocketMessage>& open() const { return open_; }
  std::uint64_t frames() const { return reader_.frames(); }

 private:
  void begin() {
    const WebSocketFrameHead& head = reader_.head();
    if (is_control(head.opcode)) {
      controls_.push_back({head.opcode, {}, false});
    } else if (head.opcode != WebSocketOpcode::continuation) {
      open_ = SocketMessage{head.opcode, {}, head.compressed};
    }
  }
  void take(std::string_view payload) {
    if (is_control(reader_.head().opcode)) {
      controls_.back().payload += payload;
    } else if (open_->compressed) {
      inflater_.give(payload);
      inflate();
    } else {
      open_->payload += payload;
    }
  }
  void end() {
    if (is_control(reader_.head().opcode) || !reader_.head().final) return;
    if (open_->compressed) {
      inflater_.give_end();
      inflate();
    }
    messages_.push_back(*open_);
    open_.reset();
  }
  void inflate() {
    while (inflater_.has_more())
      REQUIRE(inflater_.take(open_->payload).has_value());
  }

  WebSocketReader reader_;
  MessageInflater inflater_;
  std::optional<SocketMessage> open_;
  std::vector<SocketMessage> messages_, controls_;
};

// Feeds one piece as a session does; a stop ends it.
inline std::optional<WebSocketStop> pass(WebSocketRewriter& rewriter, std::string_view piece,
                                         SocketReceiver& receiver) {
  while (true) {
    std::string out;
    const auto progress = rewriter.step(piece, out);
    // 32 KiB of messages, one step of the inflater more, and what replacements add to them.
    CHECK(out.size() < (std::size_t{128} << 10));
    receiver.receive(out);
    if (!progress) return progress.error();
    if (*progress == WebSocketRewriter::Progress::more) continue;
    CHECK(piece.empty());
    return std::nullopt;
  }
}

}  // namespace egret::test
