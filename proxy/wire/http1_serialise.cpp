// Heads and chunks afresh, from validated parts only.
#include <charconv>
#include <cstdlib>

#include "proxy/wire/http1.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

// Stays on in every build: what fails here would be a smuggled message.
void ensure(bool holds) {
  if (!holds) std::abort();
}

bool free_of_controls(std::string_view text) {
  bool clean = true;
  for (const char c : text)
    clean &= static_cast<unsigned char>(c) >= 0x20 || c == '\t';
  return clean;
}

void append_number(std::string& out, std::uint64_t number, int base) {
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number, base).ptr;
  out.append(digits, end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  ensure(!name.empty() && free_of_controls(value));
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_fields(std::string& out, const FieldList& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i)
    append_field(out, fields[i].name, fields[i].value);
}

void append_length(std::string& out, std::uint64_t bytes) {
  out.append("content-length: ");
  append_number(out, bytes, 10);
  out.append("\r\n");
}

void append_framing(std::string& out, BodyLength length) {
  if (length.kind == BodyLength::Kind::length) append_length(out, length.bytes);
  if (length.kind == BodyLength::Kind::chunked) out.append("transfer-encoding: chunked\r\n");
}

bool usually_has_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

void append_request_head(std::string& out, const RequestHead& head, BodyLength length) {
  ensure(syntax::is_token(head.method) && syntax::all(head.target, syntax::target));
  ensure(!head.target.empty() && head.fields.count("host") == 1);
  ensure(!head.fields.has("content-length") && !head.fields.has("transfer-encoding"));
  ensure(length.kind != BodyLength::Kind::until_close);
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  append_fields(out, head.fields);
  // A thing between neighbours (RFC 9110 10.1.4).
  if (head.fields.has("te") && !head.fields.has("connection"))
    append_field(out, "connection", "te");
  append_framing(out, length);
  if (length.kind == BodyLength::Kind::none && usually_has_body(head.method)) append_length(out, 0);
  out.append("\r\n");
}

void append_response_head(std::string& out, const ResponseHead& head, BodyLength length,
                          bool close) {
  ensure(head.status >= 100 && head.status <= 599 && free_of_controls(head.reason));
  ensure(!head.fields.has("transfer-encoding"));
  ensure(length.kind == BodyLength::Kind::none || !head.fields.has("content-length"));
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(head.status), 10);
  out.append(" ").append(head.reason).append("\r\n");
  append_fields(out, head.fields);
  append_framing(out, length);
  if (close || length.kind == BodyLength::Kind::until_close) out.append("connection: close\r\n");
  out.append("\r\n");
}

void append_chunk_start(std::string& out, std::size_t data_bytes) {
  ensure(data_bytes != 0);
  append_number(out, data_bytes, 16);
  out.append("\r\n");
}

void append_chunk_end(std::string& out) {
  out.append("\r\n");
}

void append_last_chunk(std::string& out, const FieldList& trailers) {
  out.append("0\r\n");
  append_fields(out, trailers);
  out.append("\r\n");
}

}  // namespace egret
