// WebSocket frames: accepted or refused alike whatever the pieces, followed or read; and what was
// read is read again when it is written.
#include <algorithm>
#include <span>
#include <string>

#include "proxy/wire/websocket_frames.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

struct Read {
  bool ok = true;
  std::uint64_t frames = 0;
  std::string payload;
  std::string written;  // the frames that came to their end, by a writer
};

Read read(WebSocketSide sender, bool deflate, std::string_view text) {
  const RandomSource no_random = [](std::span<unsigned char> bytes) {
    std::fill(bytes.begin(), bytes.end(), static_cast<unsigned char>(7));
  };
  WebSocketReader reader(sender, deflate);
  WebSocketWriter writer(sender, no_random);
  Read result;
  std::string payload;
  while (true) {
    const auto event = reader.next(text);
    result.ok = event.has_value();
    result.frames = reader.frames();
    if (!result.ok || event->kind == WebSocketReader::Event::Kind::none) return result;
    payload += event->payload;
    if (event->kind != WebSocketReader::Event::Kind::end) continue;
    writer.write(reader.head(), payload, result.written);
    result.payload += payload;
    payload.clear();
  }
}

}  // namespace

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
  const Read once = read(sender, deflate, text);
  require(once.ok == whole_ok && once.frames == whole.frames(), "followed and read alike");
  const Read again = read(sender, deflate, once.written);
  require(again.ok && again.payload == once.payload && again.written == once.written,
          "what is written is what was read");
  return 0;
}
