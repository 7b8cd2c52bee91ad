#include "proxy/wire/websocket.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/wire/sha1.h"

using namespace egret;
using namespace std::string_literals;

namespace {

using Change = std::vector<std::pair<std::string, std::vector<std::string>>>;

// Each name gets exactly these values in place of what it had.
void apply(FieldList& fields, const Change& change) {
  for (const auto& [name, values] : change) {
    fields.remove(name);
    for (const std::string& value : values)
      fields.add(name, value);
  }
}

RequestHead request(const Change& change = {}) {
  RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.fields.add("host", "a.example");
  head.fields.add("upgrade", "websocket");
  head.fields.add("connection", "keep-alive, Upgrade");
  head.fields.add("sec-websocket-version", "13");
  head.fields.add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
  apply(head.fields, change);
  return head;
}

ResponseHead response(const Change& change = {}) {
  ResponseHead head;
  head.status = 101;
  head.fields.add("upgrade", "WebSocket");
  head.fields.add("connection", "Upgrade");
  head.fields.add("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  apply(head.fields, change);
  return head;
}

const Change offers = {
    {"sec-websocket-protocol", {"chat, superchat"}},
    {"sec-websocket-extensions", {"x-other, permessage-deflate; client_max_window_bits"}}};

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

}  // namespace

TEST_CASE("the label of the RFC comes out, and SHA-1 is SHA-1") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const auto hex = [](const std::string& text) {
    std::string out;
    for (const std::uint8_t octet : sha1(text)) {
      out += "0123456789abcdef"[octet >> 4];
      out += "0123456789abcdef"[octet & 15];
    }
    return out;
  };
  CHECK(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex(std::string(1000, 'a')) == "291e9a6c66994949b57ba5e650361e98fc36b1ba");
}

TEST_CASE("a request is a WebSocket's only if everything about it is (D18, D19)") {
  CHECK(check_websocket_request(request()).has_value());
  CHECK(check_websocket_request(request(offers)).has_value());
  CHECK(check_websocket_request(request({{"content-length", {"0"}}})).has_value());
  CHECK(asks_for_upgrade(request()));
  CHECK(asks_for_upgrade(request({{"upgrade", {"h2c"}}})));
  CHECK_FALSE(asks_for_upgrade(request({{"upgrade", {}}})));
  const std::vector<Change> changes = {
      {{"upgrade", {}}},
      {{"upgrade", {"h2c"}}},
      {{"upgrade", {"websocket, h2c"}}},
      {{"upgrade", {"websocket", "websocket"}}},
      {{"upgrade", {"notwebsocket"}}},
      {{"upgrade", {"TLS/1.0"}}},
      {{"http2-settings", {"AAMAAABkAAQAAP__"}}},
      {{"connection", {}}},
      {{"connection", {"notupgrade"}}},
      {{"connection", {"keep-alive"}}},
      {{"sec-websocket-version", {}}},
      {{"sec-websocket-version", {"777"}}},
      {{"sec-websocket-version", {"13, 8"}}},
      {{"sec-websocket-version", {"13", "13"}}},
      {{"sec-websocket-key", {}}},
      {{"sec-websocket-key", {""}}},
      {{"sec-websocket-key", {"short"}}},
      {{"sec-websocket-key", {"dGhlIHNhbXBsZSBub25jZQ"}}},
      {{"sec-websocket-key", {"dGhlIHNhbXBsZSBub25jZR=="}}},
      {{"sec-websocket-key", {"dGhlIHNhbXBsZSBub25j Q=="}}},
      {{"sec-websocket-key", {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="}}},
      {{"content-length", {"5"}}},
      {{"transfer-encoding", {"chunked"}}},
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    const auto checked = check_websocket_request(request(changes[i]));
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().status == 400);
    CHECK((checked.error().reason == Reason::upgrade_denied));
  }
  RequestHead post = request();
  post.method = "POST";
  CHECK_FALSE(check_websocket_request(post).has_value());
  RequestHead old = request();
  old.version = Version::http10;
  CHECK_FALSE(check_websocket_request(old).has_value());
}

TEST_CASE("a tunnel opens only on the answer to this very request") {
  CHECK(check_websocket_response(request(), response()).has_value());
  const Change deflate = {
      {"sec-websocket-extensions", {"permessage-deflate; server_no_context_takeover"}}};
  CHECK(check_websocket_response(request(offers), response(deflate)).has_value());
  CHECK(websocket_deflate_agreed(response(deflate)));
  CHECK_FALSE(websocket_deflate_agreed(response()));
  CHECK(check_websocket_response(request(offers),
                                 response({{"sec-websocket-protocol", {"superchat"}}}))
            .has_value());
  CHECK_FALSE(check_websocket_response(request(), response(deflate)).has_value());
  const std::vector<Change> changes = {
      {{"upgrade", {}}},
      {{"upgrade", {"h2c"}}},
      {{"connection", {}}},
      {{"sec-websocket-accept", {}}},
      {{"sec-websocket-accept", {"S3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}},
      {{"sec-websocket-accept", {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}},
      {{"sec-websocket-protocol", {"other"}}},
      {{"sec-websocket-protocol", {"Chat"}}},
      {{"sec-websocket-protocol", {"chat, superchat"}}},
      {{"sec-websocket-protocol", {"chat", "chat"}}},
      {{"sec-websocket-extensions", {"x-other"}}},
      {{"sec-websocket-extensions", {"permessage-deflate, permessage-deflate"}}},
      {{"sec-websocket-extensions", {"permessage-deflate; a=\"b\""}}},
      {{"sec-websocket-extensions", {"permessage-deflate", "permessage-deflate"}}},
      {{"sec-websocket-extensions", {""}}},
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    const auto checked = check_websocket_response(request(offers), response(changes[i]));
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().status == 502);
  }
  ResponseHead ok = response();
  ok.status = 200;
  CHECK_FALSE(check_websocket_response(request(), ok).has_value());
}

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
