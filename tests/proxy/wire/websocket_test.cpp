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
  CHECK(websocket_deflate(response(deflate).fields) == WebSocketDeflate{false, true, 15, 15});
  CHECK_FALSE(websocket_deflate(response().fields).has_value());
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

TEST_CASE("only well-formed offers of permessage-deflate reach an origin, written afresh") {
  struct {
    std::vector<std::string> values;
    const char* offered;
  } const rows[] = {
      {{}, ""},
      {{""}, ""},
      {{"x-other"}, ""},
      {{"permessage-deflate"}, "permessage-deflate"},
      {{"x-other; a=1,permessage-deflate;client_max_window_bits"},
       "permessage-deflate; client_max_window_bits"},
      {{"permessage-deflate ; server_max_window_bits = 10; client_no_context_takeover",
        "permessage-deflate"},
       "permessage-deflate; client_no_context_takeover; server_max_window_bits=10, "
       "permessage-deflate"},
      {{"permessage-deflate; client_max_window_bits=12; server_no_context_takeover"},
       "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"},
      {{"permessage-deflate; unknown"}, ""},
      {{"permessage-deflate; server_max_window_bits"}, ""},
      {{"permessage-deflate; server_max_window_bits=7"}, ""},
      {{"permessage-deflate; server_max_window_bits=16"}, ""},
      {{"permessage-deflate; server_max_window_bits=08"}, ""},
      {{"permessage-deflate; server_max_window_bits=10x"}, ""},
      {{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"}, ""},
      {{"permessage-deflate; client_max_window_bits=9; client_max_window_bits"}, ""},
      {{"permessage-deflate; client_max_window_bits="}, ""},
      {{"permessage-deflate; server_no_context_takeover=1"}, ""},
      {{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, ""},
      {{"permessage-deflate; server_max_window_bits=\"10\""}, ""},
      {{"x; a=\"b, permessage-deflate; c\""}, ""},
  };
  for (const auto& row : rows) {
    const std::string offered = row.offered;
    CAPTURE(offered);
    const RequestHead head = request({{"sec-websocket-extensions", row.values}});
    CHECK(websocket_extension_offers(head.fields) == offered);
  }
}

TEST_CASE("an agreement on compression answers one of the offers (RFC 7692 7.1)") {
  struct {
    const char* offered;
    const char* agreed;
    bool fine;
  } const rows[] = {
      {"permessage-deflate", "permessage-deflate", true},
      {"permessage-deflate", "permessage-deflate; server_max_window_bits=9", true},
      {"permessage-deflate", "permessage-deflate; client_no_context_takeover", true},
      {"permessage-deflate", "permessage-deflate; client_max_window_bits=12", false},
      {"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=8",
       true},
      {"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits",
       false},
      {"permessage-deflate; client_max_window_bits=10",
       "permessage-deflate; client_max_window_bits=11", false},
      {"permessage-deflate; server_max_window_bits=10", "permessage-deflate", false},
      {"permessage-deflate; server_max_window_bits=10",
       "permessage-deflate; server_max_window_bits=11", false},
      {"permessage-deflate; server_max_window_bits=10, permessage-deflate", "permessage-deflate",
       true},
      {"permessage-deflate; server_no_context_takeover", "permessage-deflate", false},
      {"permessage-deflate; server_no_context_takeover",
       "permessage-deflate; server_no_context_takeover", true},
      {"permessage-deflate", "permessage-deflate; unknown=1", false},
      {"permessage-deflate", "permessage-deflate; server_max_window_bits=16", false},
      {"permessage-deflate", "x-other", false},
      {"x-other", "x-other", false},
      {"x-other", "permessage-deflate", false},
  };
  for (const auto& row : rows) {
    const std::string agreed = row.agreed;
    CAPTURE(agreed);
    const RequestHead asked = request({{"sec-websocket-extensions", {row.offered}}});
    const ResponseHead answer = response({{"sec-websocket-extensions", {row.agreed}}});
    CHECK(check_websocket_response(asked, answer).has_value() == row.fine);
  }
  const ResponseHead narrow =
      response({{"sec-websocket-extensions",
                 {"permessage-deflate; client_max_window_bits=10; server_max_window_bits=9"}}});
  CHECK(websocket_deflate(narrow.fields) == WebSocketDeflate{false, false, 10, 9});
}
