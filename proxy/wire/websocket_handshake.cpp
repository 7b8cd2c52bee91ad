// RFC 6455 part 4, checked on both sides: a tunnel opens only where both have agreed to one.
#include "proxy/wire/http1_syntax.h"
#include "proxy/wire/sha1.h"
#include "proxy/wire/websocket.h"

namespace egret {
namespace {

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

WireFault denied(const char* what) {
  return {400, Reason::upgrade_denied, what};
}

bool only_value_is(const FieldList& fields, std::string_view name,
                   std::string_view lower_case_value) {
  return fields.count(name) == 1 &&
         syntax::same_ignoring_case(*fields.find(name), lower_case_value);
}

// 16 bytes in base64: 22 digits, the last of which carries two bits, and two pads.
bool is_key(std::string_view text) {
  if (text.size() != 24 || !text.ends_with("==")) return false;
  if (text.substr(0, 22).find_first_not_of(base64_digits) != std::string_view::npos) return false;
  return std::string_view("AQgw").find(text[21]) != std::string_view::npos;
}

std::string base64_of_digest(const std::array<std::uint8_t, 20>& digest) {
  std::string out;
  for (std::size_t i = 0; i < digest.size(); i += 3) {
    const std::uint32_t third = i + 2 < digest.size() ? digest[i + 2] : 0u;
    const std::uint32_t group = static_cast<std::uint32_t>(digest[i]) << 16 |
                                static_cast<std::uint32_t>(digest[i + 1]) << 8 | third;
    for (int shift = 18; shift >= 0; shift -= 6)
      out.push_back(base64_digits[group >> shift & 63]);
  }
  out.back() = '=';  // 20 octets leave two in the last group
  return out;
}

// Whether the request offered this as an element of the list; parameters behind `;` do not count.
bool was_offered(const FieldList& fields, std::string_view field_name, std::string_view element) {
  bool offered = false;
  syntax::each_element(fields, field_name, [&](std::string_view one) {
    offered = offered || syntax::take_element(one, ';') == element;
  });
  return offered;
}

// Null where it is fine.
const char* protocol_fault(const RequestHead& request, const ResponseHead& response) {
  const std::size_t protocols = response.fields.count("sec-websocket-protocol");
  if (protocols == 0) return nullptr;
  const std::string_view protocol = *response.fields.find("sec-websocket-protocol");
  if (protocols != 1 || !syntax::is_token(protocol)) return "not exactly one sub-protocol";
  if (!was_offered(request.fields, "sec-websocket-protocol", protocol)) {
    return "a sub-protocol that was not offered";
  }
  return nullptr;
}

const char* response_fault(const RequestHead& request, const ResponseHead& response) {
  if (response.status != 101 || response.version != Version::http11)
    return "no switch of protocols";
  if (!only_value_is(response.fields, "upgrade", "websocket") ||
      !syntax::lists_token(response.fields, "connection", "upgrade")) {
    return "a switch to another protocol";
  }
  const auto key = request.fields.find("sec-websocket-key");
  const auto accept = response.fields.find("sec-websocket-accept");
  if (!key || !accept || response.fields.count("sec-websocket-accept") != 1 ||
      *accept != websocket_accept(*key)) {
    return "Sec-WebSocket-Accept does not answer the key";
  }
  if (const char* what = protocol_fault(request, response)) return what;
  return websocket_extension_fault(request.fields, response.fields);
}

}  // namespace

bool asks_for_upgrade(const RequestHead& head) {
  return head.fields.has("upgrade");
}

Result<void, WireFault> check_websocket_request(const RequestHead& head) {
  if (!only_value_is(head.fields, "upgrade", "websocket") || head.fields.has("http2-settings")) {
    return denied("an upgrade to something other than websocket");
  }
  if (!syntax::lists_token(head.fields, "connection", "upgrade")) {
    return denied("an Upgrade that Connection does not name");
  }
  if (head.method != "GET" || head.version == Version::http10) {
    return denied("a WebSocket begins with GET in HTTP/1.1");
  }
  const auto length = head.fields.find("content-length");
  if (head.fields.has("transfer-encoding") || (length && *length != "0")) {
    return denied("a WebSocket request with a body");
  }
  if (!only_value_is(head.fields, "sec-websocket-version", "13")) {
    return denied("a WebSocket version other than 13");
  }
  const auto key = head.fields.find("sec-websocket-key");
  if (!key || head.fields.count("sec-websocket-key") != 1 || !is_key(*key)) {
    return denied("Sec-WebSocket-Key is not 16 octets in base64");
  }
  return {};
}

Result<void, WireFault> check_websocket_response(const RequestHead& request,
                                                 const ResponseHead& response) {
  if (const char* what = response_fault(request, response)) {
    return WireFault{502, Reason::upstream_framing, what};
  }
  return {};
}

std::string websocket_accept(std::string_view key) {
  return base64_of_digest(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

}  // namespace egret
