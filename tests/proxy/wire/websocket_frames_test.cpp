// Frames of one direction: followed, read and written.
#include "proxy/wire/websocket_frames.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

// The same whether at once, cut in two anywhere, or octet by octet.
bool accepted(const std::string& stream, WebSocketSide side, bool deflate = false) {
  WebSocketFrames whole(side, deflate);
  const bool ok = whole.feed(stream).has_value();
  WebSocketFrames octets(side, deflate);
  bool ok_by_octet = true;
  for (const char& c : stream)
    ok_by_octet = octets.feed({&c, 1}).has_value();
  CHECK(ok_by_octet == ok);
  CHECK(octets.frames() == whole.frames());
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    WebSocketFrames frames(side, deflate);
    const bool first = frames.feed(std::string_view(stream).substr(0, cut)).has_value();
    const bool second = frames.feed(std::string_view(stream).substr(cut)).has_value();
    CHECK((first && second) == ok);
    CHECK(frames.close_seen() == whole.close_seen());
  }
  return ok;
}

std::string big(const std::string& head, std::size_t payload) {
  return head + std::string(payload, 'p');
}

// What a reader saw, as a list of words; the same whatever the pieces.
std::string read(std::string_view stream, WebSocketSide side, std::size_t piece_bytes) {
  WebSocketReader reader(side, true);
  std::string seen;
  while (!stream.empty()) {
    std::string_view piece = stream.substr(0, piece_bytes);
    stream.remove_prefix(piece.size());
    while (true) {
      const auto event = reader.next(piece);
      if (!event) return seen + "fault";
      using Kind = WebSocketReader::Event::Kind;
      if (event->kind == Kind::none) break;
      const WebSocketFrameHead& head = reader.head();
      if (event->kind == Kind::head) {
        seen += std::to_string(static_cast<int>(head.opcode)) + (head.compressed ? "z" : "") + '(';
      }
      seen += event->payload;
      if (event->kind == Kind::end) seen += head.final ? ") " : "... ";
    }
    CHECK(piece.empty());
  }
  return seen;
}

// Every key different, none of them random.
RandomSource counting() {
  return [next = 0](std::span<unsigned char> bytes) mutable {
    for (unsigned char& byte : bytes)
      byte = static_cast<unsigned char>(next++ * 7 + 1);
  };
}

}  // namespace

TEST_CASE("well-formed frames pass, of both sides") {
  const std::string mask = "mask";
  const std::vector<std::string> from_client = {
      "",
      "\x81\x85" + mask + "hello",
      "\x82\x80" + mask,
      "\x01\x81" + mask + "a" + "\x89\x80" + mask + "\x00\x81"s + mask + "b" + "\x80\x81" + mask +
          "c",
      "\x88\x82" + mask + "xy",
      "\x88\x80" + mask,
      big("\x82\xfe\x00\x7e"s + mask, 126),
      "\x82\x85" + mask + "unf",
  };
  for (const std::string& stream : from_client)
    CHECK(accepted(stream, WebSocketSide::client));
  CHECK(accepted("\x81\x05hello\x8a\x00"s, WebSocketSide::server));
  CHECK(accepted("\xc1\x01x\x41\x01x\x80\x01x"s, WebSocketSide::server, true));
  WebSocketFrames frames(WebSocketSide::server);
  CHECK(frames.feed(big("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s, 65536) + "\x81\x00"s)
            .has_value());
  CHECK(frames.frames() == 2);
  CHECK_FALSE(frames.close_seen());
  CHECK(frames.feed("\x88\x00"s).has_value());
  CHECK(frames.close_seen());
}

TEST_CASE("frames that break RFC 6455 are refused, of both sides") {
  struct Row {
    std::string stream;
    WebSocketSide sender = WebSocketSide::server;
    bool deflate = false;
  };
  const auto server = WebSocketSide::server;
  const auto client = WebSocketSide::client;
  const std::vector<Row> rows = {
      {"\x81\x05hello", client},             // not masked
      {"\x81\x85maskhello", server},         // masked
      {"\xc1\x01x", server},                 // RSV1 with no extension
      {"\xa1\x01x", server, true},           // RSV2
      {"\x91\x01x", server, true},           // RSV3
      {"\x01\x01x\xc0\x01x", server, true},  // RSV1 on a continuation
      {"\xc9\x00"s, server, true},           // RSV1 on a control frame
      {"\x83\x00"s, server},
      {"\x87\x00"s, server},
      {"\x8b\x00"s, server},
      {"\x8f\x00"s, server},
      {"\x80\x00"s, server},  // a continuation of nothing
      {"\x81\x00\x80\x00"s, server},
      {"\x01\x00\x81\x00"s, server},  // a message inside another
      {"\x01\x00\x02\x00"s, server},
      {"\x09\x00"s, server},  // a fragmented ping
      {"\x08\x00"s, server},
      {"\x89\x7e\x00\x7e"s, server},  // a ping over 125
      {"\x88\x7f\x00\x00\x00\x00\x00\x00\x00\x01"s, server},
      {"\x88\x01x", server},          // half a close code
      {"\x82\x7e\x00\x7d"s, server},  // longer than needed
      {"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"s, server},
      {"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"s, server},
      {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"s, server},
      {"\x88\x00\x81\x00"s, server},  // data behind a close
      {"\x88\x00\x88\x00"s, server},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(accepted(rows[i].stream, rows[i].sender, rows[i].deflate));
  }
  WebSocketFrames of_server(server);
  CHECK(of_server.feed("\x83").error().status == 502);
  WebSocketFrames of_client(client);
  CHECK(of_client.feed("\x83").error().status == 400);
}

TEST_CASE("what is written is read again, masked and not, at every split") {
  for (const WebSocketSide side : {WebSocketSide::client, WebSocketSide::server}) {
    WebSocketWriter writer(side, counting());
    std::string stream;
    writer.write({WebSocketOpcode::text, false, true}, "one", stream);
    writer.write({WebSocketOpcode::ping, true, false}, "", stream);
    writer.write({WebSocketOpcode::continuation, false, false}, "", stream);
    writer.write({WebSocketOpcode::continuation, true, false}, std::string(126, 'b'), stream);
    writer.write({WebSocketOpcode::binary, true, false}, "0123456789abcdefg", stream);
    writer.write({WebSocketOpcode::close, true, false}, "xy", stream);
    const std::string expected =
        "1z(one... 9() 0(... 0(" + std::string(126, 'b') + ") 2(0123456789abcdefg) 8(xy) ";
    for (std::size_t bytes = 1; bytes <= stream.size(); ++bytes) {
      CAPTURE(bytes);
      CHECK(read(stream, side, bytes) == expected);
    }
  }
}

TEST_CASE("a length takes the fewest octets there are") {
  for (const std::size_t bytes : {0, 1, 125, 126, 127, 65535, 65536, 100'000}) {
    CAPTURE(bytes);
    for (const WebSocketSide side : {WebSocketSide::client, WebSocketSide::server}) {
      WebSocketWriter writer(side, counting());
      std::string stream;
      writer.write({WebSocketOpcode::binary, true, false}, std::string(bytes, 'x'), stream);
      WebSocketFrames frames(side);
      CHECK(frames.feed(stream).has_value());
      CHECK(frames.between_frames());
      CHECK(read(stream, side, stream.size()) == "2(" + std::string(bytes, 'x') + ") ");
    }
  }
}

TEST_CASE("each masked frame has a key of its own, from the source it was given") {
  WebSocketWriter writer(WebSocketSide::client, counting());
  std::string first, second;
  for (int i = 0; i < 20; ++i) {
    first.swap(second);
    second.clear();
    writer.write({WebSocketOpcode::text, true, false}, "same", second);
    CHECK(first != second);
  }
}

TEST_CASE("a frame of any length is read in pieces of at most 16 KiB") {
  WebSocketReader reader(WebSocketSide::client);
  const std::string head = "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"s + "mask";
  std::string_view in = head;
  CHECK((reader.next(in)->kind == WebSocketReader::Event::Kind::head));
  const std::string payload(100'000, 'p');
  in = payload;
  std::size_t read = 0;
  while (!in.empty()) {
    const auto event = reader.next(in);
    REQUIRE(event.has_value());
    CHECK(event->payload.size() <= WebSocketReader::piece_bytes_max);
    read += event->payload.size();
  }
  CHECK(read == payload.size());
}
