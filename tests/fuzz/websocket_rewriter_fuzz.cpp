// The WebSocket rewriter: whatever comes in, what goes out is well-formed, the same whatever the
// pieces, and never shows a secret to the client or a placeholder to the origin.
#include <algorithm>
#include <span>
#include <string>

#include "proxy/exchange/websocket_rewriter.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

const std::string secret = "the real value";
const std::string placeholder = "egret" + std::string(22, 'S');

SnapshotPtr make_scene() {
  auto value = Secret::from(std::string(secret));
  std::vector<Grant> grants;
  grants.push_back({"SOCKET",
                    *Placeholder::parse(placeholder),
                    std::make_shared<const Secret>(std::move(*value)),
                    {*HostPattern::parse("socket.test")},
                    {*Place::parse("websocket")},
                    Foreign::refuse});
  return make_snapshot("web", 1, Policy(), GrantTable(std::move(grants)), AddressRules());
}

// What the peer understands of what was sent to it.
class Peer {
 public:
  Peer(WebSocketSide sender, const std::optional<WebSocketDeflate>& deflate)
      : reader_(sender, deflate.has_value()), inflater_(15, ContextTakeover::yes) {}

  void receive(std::string_view in) {
    using Kind = WebSocketReader::Event::Kind;
    while (true) {
      const auto event = reader_.next(in);
      require(event.has_value(), "frames that follow RFC 6455");
      if (event->kind == Kind::none) return;
      const WebSocketFrameHead& head = reader_.head();
      const bool control = is_control(head.opcode);
      if (event->kind == Kind::head && !control && head.opcode != WebSocketOpcode::continuation) {
        compressed_ = head.compressed;
        heard_ += '<';
      }
      if (event->kind == Kind::head && control) controls_ += '|';
      if (event->kind == Kind::payload) take(event->payload, control);
      if (event->kind == Kind::end && !control && head.final) end();
    }
  }
  const std::string& heard() const { return heard_; }
  const std::string& controls() const { return controls_; }

 private:
  void take(std::string_view payload, bool control) {
    if (control) {
      controls_ += payload;
    } else if (compressed_) {
      inflater_.give(payload);
      inflate();
    } else {
      heard_ += payload;
    }
  }
  void end() {
    if (compressed_) {
      inflater_.give_end();
      inflate();
    }
    heard_ += '>';
  }
  void inflate() {
    while (inflater_.has_more())
      require(inflater_.take(heard_).has_value(), "messages that inflate");
  }

  WebSocketReader reader_;
  MessageInflater inflater_;
  bool compressed_ = false;
  std::string heard_, controls_;
};

struct Outcome {
  std::string heard, controls;
  bool stopped = false;
};

Outcome run(const SandboxSnapshot& snapshot, WebSocketSide sender, std::string_view text,
            std::size_t piece_bytes_max) {
  static const Target target{Scheme::https, *Host::parse("socket.test"), 443};
  const std::optional<WebSocketDeflate> deflate = WebSocketDeflate{};
  const RandomSource no_random = [](std::span<unsigned char> bytes) {
    std::fill(bytes.begin(), bytes.end(), static_cast<unsigned char>(7));
  };
  WebSocketRewriter rewriter(sender, deflate, snapshot, target, no_random);
  Peer peer(sender, deflate);
  Outcome outcome;
  fuzz::in_pieces(text, piece_bytes_max, [&](std::string_view piece) {
    while (true) {
      std::string out;
      const auto progress = rewriter.step(piece, out);
      peer.receive(out);
      if (!progress) {
        outcome.stopped = true;
        return false;
      }
      if (*progress == WebSocketRewriter::Progress::waiting) return true;
    }
  });
  outcome.heard = peer.heard();
  outcome.controls = peer.controls();
  return outcome;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SnapshotPtr snapshot = make_scene();
  fuzz::Input input(data, size);
  const std::uint8_t options = input.octet();
  const auto sender = options % 2 == 0 ? WebSocketSide::client : WebSocketSide::server;
  const std::string_view text = input.rest();
  const Outcome whole = run(*snapshot, sender, text, std::max<std::size_t>(text.size(), 1));
  const Outcome pieces = run(*snapshot, sender, text, 1 + options / 2);
  require(whole.stopped == pieces.stopped, "ended alike");
  if (!whole.stopped) {
    // Up to what has not been flushed of a message that is not complete.
    require(whole.heard.starts_with(pieces.heard) || pieces.heard.starts_with(whole.heard),
            "the same messages");
    require(whole.controls == pieces.controls, "the same control frames");
  }
  const std::string& hidden = sender == WebSocketSide::client ? placeholder : secret;
  require(whole.heard.find(hidden) == std::string::npos &&
              pieces.heard.find(hidden) == std::string::npos &&
              whole.controls.find(hidden) == std::string::npos,
          "nothing that may not pass");
  return 0;
}
