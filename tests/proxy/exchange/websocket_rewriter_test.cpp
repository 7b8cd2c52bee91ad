// Messages of a WebSocket, looked through and written afresh, whatever their framing.
#include <random>

#include "tests/proxy/exchange/websocket_peers.h"

using namespace egret;
using namespace egret::test;
using namespace std::string_literals;

namespace {

const WebSocketDeflate usual;

struct Passed {
  std::vector<SocketMessage> messages, controls;
  std::optional<SocketMessage> open;
  std::optional<WebSocketStop> stop;
  std::vector<PlannedUse> uses;
  std::uint64_t redactions = 0;
};

Passed passed(const SandboxSnapshot& snapshot, const std::string& url, WebSocketSide sender,
              std::string_view stream, std::size_t piece_bytes) {
  const Target to = target(url);
  WebSocketRewriter rewriter(sender, usual, snapshot, to, counting_keys());
  SocketReceiver receiver(sender, usual);
  Passed result;
  while (!stream.empty() && !result.stop) {
    result.stop = pass(rewriter, stream.substr(0, piece_bytes), receiver);
    stream.remove_prefix(std::min(piece_bytes, stream.size()));
  }
  result.messages = receiver.messages();
  result.controls = receiver.controls();
  result.open = receiver.open();
  result.uses = rewriter.uses();
  result.redactions = rewriter.redactions();
  return result;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

SocketMessage text(std::string payload, bool compressed = false) {
  return {WebSocketOpcode::text, std::move(payload), compressed};
}

// Each message as one frame, and cut into frames of this many octets.
std::string stream_of(const std::vector<SocketMessage>& messages, WebSocketSide side,
                      std::size_t frame_bytes) {
  SocketSender sender(side, usual);
  std::string stream;
  for (const SocketMessage& message : messages)
    stream += sender.send(message, [&] { return frame_bytes; });
  return stream;
}

constexpr std::size_t frame_sizes[] = {1, 7, 39, 1'000'000};
constexpr std::size_t piece_sizes[] = {1, 2, 3, 5, 41, 1'000'000};

}  // namespace

TEST_CASE("a placeholder in a text message is filled in, however it is framed and compressed") {
  const SnapshotPtr snapshot = socket_scene();
  for (const bool compressed : {false, true}) {
    const std::vector<SocketMessage> sent = {
        text("{\"token\":\"" + socket_placeholder + "\"}", compressed),
        text("grüße " + socket_placeholder + socket_placeholder + "ß", compressed),
        text("", compressed),
        text(socket_placeholder.substr(0, 39), compressed),
        text(socket_placeholder.substr(39) + " no placeholder over two messages", compressed),
    };
    std::vector<SocketMessage> expected = sent;
    for (SocketMessage& message : expected)
      message.payload = replaced(message.payload, socket_placeholder, socket_secret);
    for (const std::size_t frame_bytes : frame_sizes) {
      for (const std::size_t piece_bytes : piece_sizes) {
        CAPTURE(frame_bytes);
        CAPTURE(piece_bytes);
        const std::string stream = stream_of(sent, WebSocketSide::client, frame_bytes);
        const Passed result =
            passed(*snapshot, "https://socket.test", WebSocketSide::client, stream, piece_bytes);
        CHECK_FALSE(result.stop.has_value());
        CHECK(result.messages == expected);
        REQUIRE(result.uses.size() == 1);
        CHECK(result.uses[0].grant->name == "SOCKET");
        CHECK(result.uses[0].in == "websocket");
        CHECK(result.uses[0].count == 3);
      }
    }
  }
}

TEST_CASE("a placeholder that may not stand there ends the connection and does not arrive") {
  const SnapshotPtr snapshot = socket_scene();
  struct {
    const char* url;
    WebSocketOpcode opcode;
    const std::string& placeholder;
    const char* reason;
  } const rows[] = {
      {"https://socket.test", WebSocketOpcode::binary, socket_placeholder, "secret_location"},
      {"https://socket.test", WebSocketOpcode::ping, socket_placeholder, "secret_location"},
      {"https://socket.test", WebSocketOpcode::close, socket_placeholder, "secret_location"},
      {"https://socket.test", WebSocketOpcode::text, hub_placeholder, "secret_scope"},
      {"https://socket.test", WebSocketOpcode::pong, hub_placeholder, "secret_scope"},
      {"https://hub.test", WebSocketOpcode::text, hub_placeholder, "secret_location"},
      {"https://body.test", WebSocketOpcode::text, body_placeholder, "secret_location"},
      {"https://plain.test", WebSocketOpcode::text, socket_placeholder, "secret_scope"},
      {"https://plain.test", WebSocketOpcode::binary, socket_placeholder, "secret_scope"},
      {"http://socket.test", WebSocketOpcode::text, socket_placeholder, "secret_insecure"},
  };
  for (const auto& row : rows) {
    for (const bool compressed : {false, true}) {
      if (compressed && is_control(row.opcode)) continue;
      const std::vector<SocketMessage> sent = {
          text("first", compressed), {row.opcode, "xy " + row.placeholder + " z", compressed}};
      for (const std::size_t frame_bytes : frame_sizes) {
        for (const std::size_t piece_bytes : piece_sizes) {
          CAPTURE(frame_bytes);
          CAPTURE(piece_bytes);
          const std::string stream = stream_of(sent, WebSocketSide::client, frame_bytes);
          const Passed result =
              passed(*snapshot, row.url, WebSocketSide::client, stream, piece_bytes);
          REQUIRE(result.stop.has_value());
          CHECK(std::string(name(result.stop->reason)) == row.reason);
          CHECK(result.stop->close_code == 1008);
          CHECK(result.uses.empty());
          CHECK(std::string_view(result.stop->what).size() <= 123);
          CHECK(result.messages == std::vector<SocketMessage>{text("first", compressed)});
          CHECK(result.controls.empty());
          if (result.open) {
            CHECK(result.open->payload.find(row.placeholder.substr(0, 12)) == std::string::npos);
          }
        }
      }
    }
  }
}

TEST_CASE("a stop stays") {
  const SnapshotPtr snapshot = socket_scene();
  const Target to = target("https://plain.test");
  WebSocketRewriter rewriter(WebSocketSide::client, std::nullopt, *snapshot, to, counting_keys());
  const std::string stream =
      stream_of({text(socket_placeholder), text("more")}, WebSocketSide::client, 1000);
  std::string_view in = stream;
  std::string out;
  CHECK_FALSE(rewriter.step(in, out).has_value());
  CHECK(out.empty());
  CHECK_FALSE(rewriter.step(in, out).has_value());
  CHECK(out.empty());
}

TEST_CASE("values do not come down: placeholders where they belong, equal length elsewhere") {
  const SnapshotPtr snapshot = socket_scene();
  for (const bool compressed : {false, true}) {
    const std::string payload = "<" + socket_secret + "|" + hub_secret + ">";
    const std::vector<SocketMessage> sent = {text(payload, compressed),
                                             {WebSocketOpcode::binary, payload, compressed}};
    for (const std::size_t frame_bytes : frame_sizes) {
      for (const std::size_t piece_bytes : piece_sizes) {
        CAPTURE(frame_bytes);
        CAPTURE(piece_bytes);
        const std::string stream = stream_of(sent, WebSocketSide::server, frame_bytes);
        const Passed at_grant =
            passed(*snapshot, "https://socket.test", WebSocketSide::server, stream, piece_bytes);
        const std::string told = "<" + socket_placeholder + "|" + hub_placeholder + ">";
        CHECK(at_grant.messages ==
              std::vector<SocketMessage>{text(told, compressed),
                                         {WebSocketOpcode::binary, told, compressed}});
        CHECK(at_grant.redactions == 4);
        CHECK(at_grant.uses.empty());
        const Passed elsewhere =
            passed(*snapshot, "https://plain.test", WebSocketSide::server, stream, piece_bytes);
        REQUIRE(elsewhere.messages.size() == 2);
        CHECK(elsewhere.redactions == 4);
        for (const SocketMessage& message : elsewhere.messages) {
          CHECK(message.payload.size() == payload.size());
          CHECK(message.payload.find(socket_secret) == std::string::npos);
          CHECK(message.payload.find(hub_secret) == std::string::npos);
        }
      }
    }
  }
}

TEST_CASE("a value in a control frame is masked at equal length") {
  const SnapshotPtr snapshot = socket_scene();
  const std::string stream = stream_of({{WebSocketOpcode::ping, hub_secret, false},
                                        {WebSocketOpcode::close, "xy" + hub_secret, false}},
                                       WebSocketSide::server, 1000);
  const Passed result =
      passed(*snapshot, "https://hub.test", WebSocketSide::server, stream, stream.size());
  REQUIRE(result.controls.size() == 2);
  CHECK(result.controls[0].payload.size() == hub_secret.size());
  CHECK(result.controls[1].payload.size() == 2 + hub_secret.size());
  for (const SocketMessage& control : result.controls)
    CHECK(control.payload.find(hub_secret) == std::string::npos);
  CHECK(result.redactions == 2);
}

TEST_CASE("no message waits for the next, also where it ends as a secret begins") {
  const SnapshotPtr snapshot = socket_scene();
  for (const WebSocketSide side : {WebSocketSide::client, WebSocketSide::server}) {
    for (const bool compressed : {false, true}) {
      const Target to = target("https://socket.test");
      WebSocketRewriter rewriter(side, usual, *snapshot, to, counting_keys());
      SocketReceiver receiver(side, usual);
      SocketSender sender(side, usual);
      std::size_t sent = 0;
      for (const std::string& whole : {socket_secret, socket_placeholder}) {
        for (const std::size_t bytes : {std::size_t{1}, std::size_t{12}, whole.size() - 1}) {
          const SocketMessage message = text(whole.substr(0, bytes), compressed);
          CHECK_FALSE(pass(rewriter, sender.send(message), receiver).has_value());
          REQUIRE(receiver.messages().size() == ++sent);
          CHECK(receiver.messages().back() == message);
        }
      }
    }
  }
}

TEST_CASE("a fragment of a message under way arrives before the next one is there") {
  const SnapshotPtr snapshot = socket_scene();
  const Target to = target("https://socket.test");
  for (const bool compressed : {false, true}) {
    WebSocketRewriter rewriter(WebSocketSide::server, usual, *snapshot, to, counting_keys());
    SocketReceiver receiver(WebSocketSide::server, usual);
    MessageDeflater deflater(15, ContextTakeover::yes);
    WebSocketWriter writer(WebSocketSide::server, counting_keys());
    std::string so_far;
    for (int i = 0; i < 20; ++i) {
      const std::string more = "event " + std::to_string(i) + "\n";
      so_far += more;
      std::string coded = more;
      if (compressed) {
        coded.clear();
        deflater.push(more, coded);
        deflater.flush(coded);
      }
      std::string frame;
      writer.write({i == 0 ? WebSocketOpcode::text : WebSocketOpcode::continuation, false,
                    i == 0 && compressed},
                   coded, frame);
      CHECK_FALSE(pass(rewriter, frame, receiver).has_value());
      REQUIRE(receiver.open().has_value());
      CHECK(receiver.open()->payload == so_far);
    }
  }
}

TEST_CASE("control frames inside a message pass at once and in order") {
  const SnapshotPtr snapshot = socket_scene();
  SocketSender sender(WebSocketSide::client, usual);
  int pings = 0;
  const std::string stream = sender.send(
      text("before " + socket_placeholder + " behind"), [] { return std::size_t{3}; },
      [&](std::string& out) {
        out += sender.send({WebSocketOpcode::ping, std::to_string(pings++), false});
      });
  for (const std::size_t piece_bytes : piece_sizes) {
    const Passed result =
        passed(*snapshot, "https://socket.test", WebSocketSide::client, stream, piece_bytes);
    CHECK(result.messages ==
          std::vector<SocketMessage>{text("before " + socket_secret + " behind")});
    REQUIRE(result.controls.size() == static_cast<std::size_t>(pings));
    for (int i = 0; i < pings; ++i)
      CHECK(result.controls[static_cast<std::size_t>(i)].payload == std::to_string(i));
  }
}

TEST_CASE("frames that break the rules end the connection with 1002, naming the side") {
  const SnapshotPtr snapshot = socket_scene();
  struct {
    std::string stream;
    WebSocketSide sender;
    Reason reason;
  } const rows[] = {
      {"\x81\x05hello", WebSocketSide::client, Reason::framing_invalid},
      {"\x83\x00"s, WebSocketSide::server, Reason::upstream_framing},
      {"\xc1\x01\x07", WebSocketSide::server, Reason::upstream_framing},
      {"\xc1\x81\x00\x00\x00\x00\x07"s, WebSocketSide::client, Reason::framing_invalid},
      {"\x88\x00\x81\x00"s, WebSocketSide::server, Reason::upstream_framing},
  };
  for (const auto& row : rows) {
    for (const std::size_t piece_bytes : {1, 100}) {
      const Passed result =
          passed(*snapshot, "https://plain.test", row.sender, row.stream, piece_bytes);
      REQUIRE(result.stop.has_value());
      CHECK((result.stop->reason == row.reason));
      CHECK(result.stop->close_code == 1002);
      CHECK(result.messages.empty());
    }
  }
}

TEST_CASE("a bomb passes without ever being held") {
  const SnapshotPtr snapshot = socket_scene();
  SocketSender sender(WebSocketSide::client, usual);
  const std::string payload(std::size_t{32} << 20, '\0');
  const std::string stream = sender.send({WebSocketOpcode::binary, payload, true});
  CHECK(stream.size() < 300'000);
  // pass() checks what a step makes.
  const Passed result =
      passed(*snapshot, "https://plain.test", WebSocketSide::client, stream, 65536);
  REQUIRE(result.messages.size() == 1);
  CHECK((result.messages[0].payload == payload));
}

TEST_CASE("whatever the framing, messages equal the reference substitution") {
  const SnapshotPtr snapshot = socket_scene();
  std::mt19937 random(20261121);
  const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  const std::vector<std::string> parts = {socket_placeholder,
                                          socket_placeholder.substr(0, 20),
                                          socket_secret,
                                          socket_secret.substr(0, 30),
                                          hub_secret,
                                          "grüße €",
                                          "egret",
                                          std::string(3000, 'x'),
                                          "\0\xff\x80"s};
  for (int round = 0; round < 150; ++round) {
    CAPTURE(round);
    const bool up = round % 2 == 0;
    const WebSocketSide side = up ? WebSocketSide::client : WebSocketSide::server;
    const WebSocketDeflate deflate{below(2) == 0, below(2) == 0, 8 + below(8), 8 + below(8)};
    SocketSender sender(side, deflate);
    std::vector<SocketMessage> expected, controls;
    std::string stream;
    for (unsigned count = 1 + below(6); count > 0; --count) {
      const bool binary = below(3) == 0;
      SocketMessage message{
          binary ? WebSocketOpcode::binary : WebSocketOpcode::text, {}, below(2) == 0};
      for (unsigned part = below(8); part > 0; --part) {
        // A placeholder may not stand in a binary message.
        const auto first = static_cast<unsigned>(up && binary ? 1 : 0);
        message.payload += parts[first + below(static_cast<unsigned>(parts.size()) - first)];
      }
      const unsigned longest = 1 + below(below(2) == 0 ? 4 : 2000);
      stream += sender.send(
          message, [&] { return std::size_t{below(longest + 1)}; },
          [&](std::string& out) {
            if (below(4) != 0) return;
            controls.push_back({WebSocketOpcode::ping, std::to_string(below(1000)), false});
            out += sender.send(controls.back());
          });
      if (up) {
        message.payload = replaced(message.payload, socket_placeholder, socket_secret);
      } else {
        message.payload = replaced(message.payload, socket_secret, socket_placeholder);
        message.payload = replaced(message.payload, hub_secret, hub_placeholder);
      }
      expected.push_back(message);
    }
    const Target to = target("https://socket.test");
    WebSocketRewriter rewriter(side, deflate, *snapshot, to, counting_keys());
    SocketReceiver receiver(side, deflate);
    const unsigned piece_max = 1 + below(below(2) == 0 ? 10 : 70'000);
    for (std::string_view rest = stream; !rest.empty();) {
      const std::string_view piece = rest.substr(0, 1 + below(piece_max));
      rest.remove_prefix(piece.size());
      REQUIRE_FALSE(pass(rewriter, piece, receiver).has_value());
    }
    CHECK((receiver.messages() == expected));
    CHECK((receiver.controls() == controls));
    CHECK_FALSE(receiver.open().has_value());
  }
}
