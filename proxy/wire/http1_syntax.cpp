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

WireFault bad_target(const char* what) {
  return {400, Reason::path_noncanonical, what};
}

// `name://`, the only URI shape that says where its authority begins.
bool has_scheme(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == 0 || end == std::string_view::npos) return false;
  const char first = lower(text[0]);
  if (first < 'a' || first > 'z') return false;
  for (const char c : text.substr(0, end)) {
    const char low = lower(c);
    const bool letter = low >= 'a' && low <= 'z';
    if (!letter && !is_digit(c) && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

// What a well-formed field may still not be; `seen` has the bits of all its value's octets.
Result<void, WireFault> check_meaning(std::string_view name, unsigned char seen) {
  if (is_framing_twin(name)) {
    return WireFault{400, Reason::framing_invalid, "a framing field spelled with an underscore"};
  }
  if (seen >= 0x80 && must_be_ascii(name)) {
    return invalid_field("an octet over 0x7f in a field that decides framing, routing or identity");
  }
  return {};
}

}  // namespace

Result<TargetForm, WireFault> target_form(std::string_view method, std::string_view text) {
  if (text.empty()) return bad_target("an empty request target");
  if (!all(text, target)) {
    return bad_target(
        "a control, space, non-ASCII octet or one of # \\ \" < > in the request target");
  }
  if (method == "CONNECT") {
    if (text.find_first_of("/?") == std::string_view::npos) return TargetForm::authority;
    return WireFault{400, Reason::host_malformed, "CONNECT needs host:port"};
  }
  if (text.front() == '/') return TargetForm::origin;
  if (text == "*") {
    if (method == "OPTIONS") return TargetForm::asterisk;
    return bad_target("* is a target for OPTIONS only");
  }
  if (has_scheme(text)) return TargetForm::absolute;
  return bad_target("a request target that begins with neither / nor a scheme");
}

Result<void, WireFault> check_field(std::string_view name, std::string_view text,
                                    std::size_t field_bytes_max) {
  if (!is_token(name)) return invalid_field("a field name is not a token");
  if (name.size() + text.size() > field_bytes_max)
    return WireFault{431, Reason::limit_head_bytes, "field too long"};
  unsigned char seen = 0;
  for (const char c : text) {
    if (!is(c, value)) return invalid_field("a field value holds a control octet");
    seen |= static_cast<unsigned char>(c);
  }
  return check_meaning(name, seen);
}

Result<FieldLine, WireFault> read_field_line(std::string_view text, std::size_t at,
                                             std::size_t field_bytes_max) {
  std::size_t i = at;
  while (i < text.size() && is(text[i], token))
    ++i;
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
  if (auto meant = check_meaning(name, seen); !meant) return meant.error();
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

std::vector<std::string> list_elements(const FieldList& fields, std::string_view lower_case_name) {
  std::vector<std::string> elements;
  each_element(fields, lower_case_name, [&](std::string_view element) {
    if (!element.empty()) elements.push_back(lower(element));
  });
  return elements;
}

bool lists_token(const FieldList& fields, std::string_view lower_case_name,
                 std::string_view lower_case_token) {
  bool found = false;
  each_element(fields, lower_case_name, [&](std::string_view element) {
    found = found || same_ignoring_case(element, lower_case_token);
  });
  return found;
}

}  // namespace egret::syntax
