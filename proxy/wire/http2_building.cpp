#include "proxy/wire/http2_building.h"

#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

constexpr std::size_t octets_a_field = 32;  // RFC 9113 6.5.2
constexpr std::size_t method_bytes_max = 32;

}  // namespace

FieldList& Http2Session::Building::fields() {
  if (kind == Kind::trailers) return trailers;
  return kind == Kind::request ? request.head.fields : response.fields;
}

void Http2Session::Building::add(std::string_view name, std::string_view value) {
  if (wrong) return;
  bytes_ += name.size() + value.size() + octets_a_field;
  const std::size_t most =
      kind == Kind::trailers ? limits.trailer_bytes_max : limits.head_bytes_max;
  if (bytes_ > most) return fail({431, Reason::limit_head_bytes, "head too long"});
  if (++count_ > limits.fields_max)
    return fail({431, Reason::limit_header_fields, "too many fields"});
  if (name.starts_with(':')) return add_pseudo(name, value);
  if (const auto checked = syntax::check_field(name, value, limits.field_bytes_max); !checked)
    return fail(checked.error());
  if (kind == Kind::trailers && syntax::forbidden_in_trailers(name))
    return fail({400, Reason::header_invalid, "a field that may not stand behind a body"});
  if (name == "cookie" && kind == Kind::request) {  // crumbs (RFC 9113 8.2.3)
    if (!cookie_.empty()) cookie_ += "; ";
    cookie_ += value;
    return;
  }
  fields().add(name, syntax::trimmed(value));
}

void Http2Session::Building::add_pseudo(std::string_view name, std::string_view value) {
  if (kind == Kind::response) {
    response.status = 0;
    for (const char c : value) {
      if (!syntax::is_digit(c) || response.status > 99) break;
      response.status = response.status * 10 + (c - '0');
    }
    if (value.size() != 3 || response.status < 100 || response.status > 599)
      fail({400, Reason::framing_invalid, "a status that is not 100 to 599"});
    return;
  }
  if (name == ":method") {
    if (!syntax::is_token(value))
      return fail({400, Reason::framing_invalid, "a method is a token"});
    if (value.size() > method_bytes_max)
      return fail({501, Reason::method_not_allowed, "a method that nobody has"});
    request.head.method = value;
  } else if (name == ":path") {
    if (value.size() > limits.target_bytes_max)
      return fail({414, Reason::limit_uri_bytes, "request target too long"});
    request.head.target = value;
  } else if (name == ":authority") {
    if (value.size() > limits.field_bytes_max || !syntax::all(value, syntax::target))
      return fail({400, Reason::host_malformed, "an :authority that is none"});
    authority_ = value;
    has_authority_ = true;
  } else if (name == ":scheme") {
    scheme_ = value;
  } else if (name == ":protocol") {
    request.protocol = value;
  }
}

void Http2Session::Building::complete() {
  if (kind == Kind::response) response.version = Version::http2;
  if (kind == Kind::request) complete_request();
}

void Http2Session::Building::complete_request() {
  RequestHead& head = request.head;
  head.version = Version::http2;
  if (!cookie_.empty()) head.fields.add("cookie", cookie_);
  const auto host = head.fields.find("host");
  if (has_authority_) {
    // One target: what a field says beside the pseudo-header may not differ (RFC 9113 8.3.1).
    if (host && !syntax::same_ignoring_case(*host, authority_))
      return fail({421, Reason::authority_mismatch, ":authority and Host differ"});
    if (!host) head.fields.add("host", authority_);
  }
  if (wrong) return;
  const bool plain_connect = head.method == "CONNECT" && request.protocol.empty();
  if (plain_connect) {
    head.target = authority_;
    head.form = TargetForm::authority;
    return;
  }
  if (!syntax::same_ignoring_case(scheme_, "https"))
    return fail({400, Reason::scheme_not_allowed, "the scheme has to be https on this connection"});
  // An extended CONNECT has a path like any other request (RFC 8441 4).
  const auto form =
      syntax::target_form(head.method == "CONNECT" ? "GET" : head.method, head.target);
  if (!form) return fail(form.error());
  if (*form == TargetForm::absolute)
    return fail({400, Reason::path_noncanonical, ":path begins with / or is *"});
  head.form = *form;
}

}  // namespace egret
