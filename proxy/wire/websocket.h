// WebSocket's handshake (RFC 6455 part 4) checked on both sides (ATTACKS D18, D19), and the one
// extension that is let through, permessage-deflate (RFC 7692).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "proxy/wire/message.h"

namespace egret {

// A GET with `upgrade: websocket` and nothing else in it, `connection` naming upgrade, version 13
// and a 16-byte key; HTTP/1.1, no body.
bool asks_for_upgrade(const RequestHead& head);  // any Upgrade field at all
Result<void, WireFault> check_websocket_request(const RequestHead& head);
// A 101 that answers it: Sec-WebSocket-Accept matches the key, no sub-protocol that was not
// offered, no extension but permessage-deflate, with parameters that answer one of the offers.
Result<void, WireFault> check_websocket_response(const RequestHead& request,
                                                 const ResponseHead& response);
std::string websocket_accept(std::string_view key);

// What both sides agreed on; messages may be compressed then, each on its own.
struct WebSocketDeflate {
  bool client_no_context_takeover = false;  // whether a message may refer to those before
  bool server_no_context_takeover = false;
  unsigned client_max_window_bits = 15;  // 8 to 15: how far back that may be
  unsigned server_max_window_bits = 15;
  bool operator==(const WebSocketDeflate&) const = default;
};

// The client's Sec-WebSocket-Extensions written afresh: its well-formed offers of
// permessage-deflate and nothing else. Empty: no such field is to be sent.
std::string websocket_extension_offers(const FieldList& request_fields);
// What is wrong with the extensions that the origin has agreed to, or null.
const char* websocket_extension_fault(const FieldList& request_fields,
                                      const FieldList& response_fields);
// Of a checked response; nothing where no extension was agreed.
std::optional<WebSocketDeflate> websocket_deflate(const FieldList& response_fields);

}  // namespace egret
