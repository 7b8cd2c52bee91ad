// WebSocket frames: accepted or refused alike whatever the pieces.
#include "proxy/wire/websocket.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t options = input.octet();
  const auto sender = options % 2 == 0 ? WebSocketSide::client : WebSocketSide::server;
  const bool deflate = options % 4 >= 2;
  const std::string_view text = input.rest();
  WebSocketFrames whole(sender, deflate), pieces(sender, deflate);
  const bool whole_ok = whole.feed(text).has_value();
  bool pieces_ok = true;
  fuzz::in_pieces(text, 1 + options / 4, [&](std::string_view piece) {
    pieces_ok = pieces.feed(piece).has_value();
    return pieces_ok;
  });
  require(whole_ok == pieces_ok, "accepted alike");
  require(whole.frames() == pieces.frames() && whole.close_seen() == pieces.close_seen(),
          "and counted alike");
  require(whole.frames() <= text.size() / 2, "a frame has at least two octets");
  return 0;
}
