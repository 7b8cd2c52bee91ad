// How long a body is (RFC 9112 part 6), and whether the connection lives on (part 9).
#include <algorithm>

#include "proxy/wire/http1.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

constexpr std::size_t length_digits_max = 18;

WireFault malformed(const char* what) {
  return {400, Reason::framing_invalid, what};
}

// `0` or digits without a leading zero; a list, a sign or a repetition is refused.
std::optional<std::uint64_t> read_length(std::string_view text) {
  if (text.empty() || text.size() > length_digits_max) return std::nullopt;
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  std::uint64_t bytes = 0;
  for (const char c : text) {
    if (!syntax::is_digit(c)) return std::nullopt;
    bytes = bytes * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return bytes;
}

bool is_real_coding(std::string_view text) {
  static constexpr std::string_view codings[] = {"gzip", "deflate", "compress", "x-gzip",
                                                 "x-compress"};
  return std::any_of(std::begin(codings), std::end(codings),
                     [text](std::string_view c) { return syntax::same_ignoring_case(c, text); });
}

// What the framing fields say; kind none where there are none.
Result<BodyLength, WireFault> read_framing(const FieldList& fields, Version version) {
  const std::size_t lengths = fields.count("content-length");
  const std::size_t codings = fields.count("transfer-encoding");
  if (codings != 0) {
    if (lengths != 0) return malformed("both transfer-encoding and content-length");
    if (codings != 1) return malformed("more than one transfer-encoding");
    if (version != Version::http11) return malformed("transfer-encoding outside HTTP/1.1");
    const std::string_view coding = *fields.find("transfer-encoding");
    if (syntax::same_ignoring_case(coding, "chunked"))
      return BodyLength{BodyLength::Kind::chunked, 0};
    if (is_real_coding(coding)) {
      return WireFault{501, Reason::framing_invalid, "a transfer coding other than chunked"};
    }
    return malformed("transfer-encoding is not exactly `chunked`");
  }
  if (lengths == 0) return BodyLength{};
  if (lengths != 1) return malformed("more than one content-length");
  const auto bytes = read_length(*fields.find("content-length"));
  if (!bytes) return malformed("content-length is not one plain number");
  return BodyLength{BodyLength::Kind::length, *bytes};
}

Result<BodyLength, WireFault> read_response_length(ResponseHead& head, std::string_view method) {
  const auto framing = read_framing(head.fields, head.version);
  if (!framing) return framing.error();
  const bool interim = head.status < 200 || head.status == 204;
  if (interim && (framing->kind == BodyLength::Kind::chunked || framing->bytes != 0)) {
    return malformed("a body on a status that has none");
  }
  head.fields.remove("transfer-encoding");
  if (!interim && (method == "HEAD" || head.status == 304)) return BodyLength{};
  head.fields.remove("content-length");
  if (interim) return BodyLength{};
  if (framing->kind == BodyLength::Kind::none) return BodyLength{BodyLength::Kind::until_close, 0};
  return *framing;
}

}  // namespace

bool expects_no_body(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "DELETE" || method == "OPTIONS" ||
         method == "TRACE";
}

Result<BodyLength, WireFault> take_request_length(RequestHead& head) {
  const auto framing = read_framing(head.fields, head.version);
  if (!framing) return framing.error();
  if (framing->kind != BodyLength::Kind::none && head.method == "CONNECT") {
    return malformed("CONNECT with a body");
  }
  if (framing->kind == BodyLength::Kind::chunked && expects_no_body(head.method)) {
    return malformed("a chunked body on a method that has none");
  }
  head.fields.remove("content-length");
  head.fields.remove("transfer-encoding");
  return *framing;
}

Result<BodyLength, WireFault> take_response_length(ResponseHead& head,
                                                   std::string_view request_method) {
  const auto length = read_response_length(head, request_method);
  if (!length) return origin_fault(length.error());
  return *length;
}

bool keeps_alive(Version version, const FieldList& fields) {
  if (version == Version::http2) return true;
  if (syntax::lists_token(fields, "connection", "close")) return false;
  return version == Version::http11 || syntax::lists_token(fields, "connection", "keep-alive");
}

}  // namespace egret
