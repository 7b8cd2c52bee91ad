#include "proxy/io/http1_origin.h"

#include <utility>

#include "policy/secret/secret.h"

namespace egret {

Http1OriginConnection::Http1OriginConnection(OriginStream origin, const Http1Limits& limits,
                                             const OriginTimeouts& timeouts)
    : origin_(std::move(origin)),
      body_(*origin_.stream, buffer_),
      limits_(limits),
      timeouts_(timeouts) {}

void Http1OriginConnection::begin(std::string request_method) {
  method_ = std::move(request_method);
  ++exchanges_;
  request_ = length_ = {};
  body_.begin({}, limits_);
  sent_ = keep_ = answered_ = head_read_ = upgraded_ = false;
}

// RFC 9112 3.2.2: as a proxy is asked. The Host field is the canonical authority.
void Http1OriginConnection::append_absolute_form(std::string& out, const RequestHead& head,
                                                 BodyLength length) const {
  RequestHead absolute = head;
  absolute.form = TargetForm::absolute;
  absolute.target = "http://";
  absolute.target += head.fields.find("host").value_or("");
  if (head.target != "*") absolute.target += head.target;
  if (const auto& authorization = origin_.proxy->authorization)
    absolute.fields.add("proxy-authorization", authorization->reveal());
  append_request_head(out, absolute, length);
  wipe(absolute.target);
  absolute.fields.wipe();
}

Task<StreamError> Http1OriginConnection::send_head(const RequestHead& head, BodyLength length,
                                                   std::string_view first) {
  request_ = length;
  std::string out;
  out.reserve(head.method.size() + head.target.size() + head.fields.bytes() + first.size() + 256);
  if (origin_.proxy) {
    append_absolute_form(out, head, length);
  } else {
    append_request_head(out, head, length);
  }
  stream().limit(timeouts_.body);
  if (!first.empty() && length.kind == BodyLength::Kind::chunked) {
    append_chunk_start(out, first.size());
    out += first;
    append_chunk_end(out);
    first = {};
  }
  const StreamError error = co_await stream().write(out, first);
  wipe(out);  // it may hold a secret
  co_return error;
}

Task<StreamError> Http1OriginConnection::send_body(std::string_view data) {
  if (data.empty()) co_return StreamError::none;
  stream().limit(upgraded_ ? timeouts_.upgraded : timeouts_.head);
  if (request_.kind != BodyLength::Kind::chunked) co_return co_await stream().write(data);
  std::string out;
  append_chunk_start(out, data.size());
  out += data;
  append_chunk_end(out);
  co_return co_await stream().write(out);
}

Task<StreamError> Http1OriginConnection::finish_request(const FieldList& trailers) {
  StreamError error = StreamError::none;
  if (upgraded_) {
    co_await stream().finish_writing();
    co_return error;
  }
  stream().limit(timeouts_.head);
  if (request_.kind == BodyLength::Kind::chunked) {
    std::string out;
    append_last_chunk(out, trailers);
    error = co_await stream().write(out);
  }
  sent_ = error == StreamError::none;
  co_return error;
}

Task<Result<ResponseHead, BodyFault>> Http1OriginConnection::read_head() {
  std::size_t scanned = 0;
  std::optional<std::size_t> end;
  stream().limit(timeouts_.head);
  while (!(end = find_head_end(buffer_.view(), scanned))) {
    if (buffer_.view().size() > limits_.head_bytes_max) {
      co_return BodyFault{StreamError::none, WireFault{502, Reason::upstream_framing,
                                                       "the response head is too large"}};
    }
    if (const StreamError error = co_await buffer_.fill(stream()); error != StreamError::none) {
      co_return BodyFault{error, std::nullopt};
    }
    answered_ = true;
  }
  ResponseHead head;
  const auto parsed = parse_response_head(buffer_.view().substr(0, *end), limits_, head);
  if (!parsed) co_return BodyFault{StreamError::none, parsed.error()};
  const bool keep = keeps_alive(head.version, head.fields);
  const auto length = take_response_length(head, method_);
  if (!length) co_return BodyFault{StreamError::none, length.error()};
  if (origin_.proxy && head.status == 407) {  // for us, not for the client
    co_return BodyFault{StreamError::none,
                        WireFault{502, Reason::upstream_unreachable, proxy_denies_credentials}};
  }
  buffer_.consume(*end);
  if (head.status >= 200 || head.status == 101) {
    upgraded_ = head.status == 101;
    length_ = upgraded_ ? BodyLength{BodyLength::Kind::until_close, 0} : *length;
    body_.begin(length_, limits_);
    keep_ = keep && length_.kind != BodyLength::Kind::until_close;
    head_read_ = true;
  }
  co_return head;
}

Task<Result<BodyPiece, BodyFault>> Http1OriginConnection::read_body() {
  return body_.read(upgraded_ ? timeouts_.upgraded : timeouts_.body);
}

bool Http1OriginConnection::reusable() const {
  return sent_ && keep_ && head_read_ && body_.finished() && body_.nothing_behind() &&
         origin_.stream->is_open();
}

}  // namespace egret
