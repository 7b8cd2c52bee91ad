#include "proxy/wire/http1_syntax.h"

#include <algorithm>

#include "policy/secret/grant.h"

namespace egret::syntax {
namespace {

WireFault invalid_field(const char* what) {
  return {400, Reason::header_invalid, what};
}

// Where an octet over 0x7f could be read as white space, folded or dropped by the next parser.
bool must_be_ascii(std::string_view name) {
  static constexpr std::string_view names[] = {
      "host",       "content-length",   "transfer-encoding",
      "connection", "upgrade",          "te",
      "trailer",    "authorization",    "expect",
      "keep-alive", "proxy-connection", "proxy-authorization",
  };
  return std::any_of(std::begin(names), std::end(names),
                     [name](std::string_view n) { return same_ignoring_case(n, name); });
}

// CGI-like recipients read `_` as `-`.
bool is_framing_twin(std::string_view name) {
  return same_ignoring_case(name, "transfer_encoding") ||
         same_ignoring_case(name, "content_length");
}

}  // namespace

Result<FieldLine, WireFault> read_field_line(std::string_view text, std::size_t at,
                                             std::size_t field_bytes_max) {
  std::size_t i = at;
  bool underscore = false;
  while (i < text.size() && is(text[i], token))
    underscore |= text[i++] == '_';
  const std::string_view name = text.substr(at, i - at);
  if (name.empty()) return invalid_field("a field line without a name, or a folded one");
  if (i == text.size() || text[i] != ':') return invalid_field("a field name is not a token");
  const std::size_t value_at = ++i;
  unsigned char seen = 0;
  while (i < text.size() && is(text[i], value))
    seen |= static_cast<unsigned char>(text[i++]);
  if (i + 1 >= text.size() || text[i] != '\r' || text[i + 1] != '\n') {
    return invalid_field("a field value holds a control octet or a bare CR or LF");
  }
  if (i - at > field_bytes_max) return WireFault{431, Reason::limit_head_bytes, "field too long"};
  if (underscore && is_framing_twin(name)) {
    return WireFault{400, Reason::framing_invalid, "a framing field spelled with an underscore"};
  }
  if (seen >= 0x80 && must_be_ascii(name)) {
    return invalid_field("an octet over 0x7f in a field that decides framing, routing or identity");
  }
  return FieldLine{name, trimmed(text.substr(value_at, i - value_at)), i + 2};
}

bool forbidden_in_trailers(std::string_view lower_case_name) {
  static constexpr std::string_view names[] = {
      "age",
      "cache-control",
      "connection",
      "content-encoding",
      "content-length",
      "content-location",
      "content-range",
      "content-type",
      "cookie",
      "date",
      "expect",
      "expires",
      "forwarded",
      "host",
      "http2-settings",
      "keep-alive",
      "location",
      "max-forwards",
      "origin",
      "pragma",
      "proxy-authenticate",
      "proxy-authorization",
      "proxy-connection",
      "range",
      "retry-after",
      "set-cookie",
      "te",
      "trailer",
      "transfer-encoding",
      "upgrade",
      "vary",
      "via",
      "warning",
      "www-authenticate",
  };
  const bool listed =
      std::find(std::begin(names), std::end(names), lower_case_name) != std::end(names);
  return listed || lower_case_name.starts_with("if-") ||
         lower_case_name.starts_with("x-forwarded-") ||
         lower_case_name.starts_with("sec-websocket-") || is_credential_header(lower_case_name);
}

bool lists_token(const FieldList& fields, std::string_view lower_case_name,
                 std::string_view lower_case_token) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name != lower_case_name) continue;
    for (std::string_view list = fields[i].value; !list.empty();) {
      if (same_ignoring_case(take_element(list), lower_case_token)) return true;
    }
  }
  return false;
}

}  // namespace egret::syntax
