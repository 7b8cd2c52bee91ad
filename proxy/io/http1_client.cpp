#include "proxy/io/http1_client.h"

#include <utility>

#include "proxy/io/http1_body.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {

class Http1ClientExchange final : public ClientExchange {
 public:
  Http1ClientExchange(Http1ClientConnection& connection, RequestHead head, BodyLength length)
      : connection_(connection),
        head_(std::move(head)),
        length_(length),
        body_(connection.stream_, connection.buffer_) {
    body_.begin(length, connection.limits_);
    connection_.reusable_ = false;  // until both messages are whole
  }

  const RequestHead& head() const override { return head_; }
  BodyLength request_length() const override { return length_; }
  bool responded() const override { return responded_; }
  bool takes_chunks() const override { return head_.version == Version::http11; }
  bool takes_trailers() const override {
    return takes_chunks() && syntax::lists_token(head_.fields, "te", "trailers");
  }
  const FieldList& trailers() const override { return body_.trailers(); }
  void close_after_response() override { close_ = true; }
  void abort() override { stream().reset(); }
  void stop_reading() override { stream().interrupt(); }
  void resume() override { stream().resume(); }

  Task<Result<BodyPiece, BodyFault>> read_body() override { return body_.read(patience()); }

  Task<StreamError> send_continue() override {
    stream().limit(connection_.timeouts_.body);
    co_return co_await stream().write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  Task<StreamError> send_interim(const ResponseHead& head) override {
    if (head_.version == Version::http10) co_return StreamError::none;
    std::string out;
    append_response_head(out, head, {}, false);
    stream().limit(connection_.timeouts_.body);
    co_return co_await stream().write(out);
  }

  Task<StreamError> send_head(const ResponseHead& head, BodyLength length,
                              std::string_view first) override {
    responded_ = true;
    response_ = length;
    const bool unread = !body_.finished();
    close_ = close_ || unread || head_.version == Version::http10 ||
             !keeps_alive(head_.version, head_.fields) ||
             length.kind == BodyLength::Kind::until_close || head.status == 101;
    std::string out;
    append_response_head(out, head, length, close_ && head.status != 101);
    if (head.status == 101) {
      upgraded_ = true;
      body_.begin({BodyLength::Kind::until_close, 0}, connection_.limits_);
    }
    stream().limit(connection_.timeouts_.body);
    if (first.empty()) co_return co_await stream().write(out);
    if (length.kind != BodyLength::Kind::chunked) co_return co_await stream().write(out, first);
    append_chunk(out, first);
    co_return co_await stream().write(out);
  }

  Task<StreamError> send_body(std::string_view data) override {
    if (data.empty()) co_return StreamError::none;
    stream().limit(patience());
    if (response_.kind != BodyLength::Kind::chunked) co_return co_await stream().write(data);
    std::string out;
    append_chunk(out, data);
    co_return co_await stream().write(out);
  }

  Task<StreamError> finish(const FieldList& trailers) override {
    stream().limit(connection_.timeouts_.body);
    if (response_.kind == BodyLength::Kind::chunked) {
      std::string out;
      append_last_chunk(out, trailers);
      if (const StreamError error = co_await stream().write(out); error != StreamError::none)
        co_return error;
    }
    body_.release();
    if (upgraded_) co_await stream().finish_writing();
    connection_.reusable_ = !close_ && body_.finished();
    co_return StreamError::none;
  }

 private:
  Stream& stream() { return connection_.stream_; }
  std::chrono::milliseconds patience() const {
    return upgraded_ ? connection_.timeouts_.upgraded : connection_.timeouts_.body;
  }

  static void append_chunk(std::string& out, std::string_view data) {
    out.reserve(out.size() + data.size() + 16);
    append_chunk_start(out, data.size());
    out += data;
    append_chunk_end(out);
  }

  Http1ClientConnection& connection_;
  RequestHead head_;
  BodyLength length_;
  Http1BodyReader body_;
  BodyLength response_;
  bool responded_ = false;
  bool close_ = false;
  bool upgraded_ = false;
};

Task<Http1ClientConnection::Next> Http1ClientConnection::next() {
  std::size_t scanned = 0;
  std::optional<std::size_t> end;
  bool begun = false;
  if (buffer_.empty()) {
    buffer_.release_if_empty();
    stream_.limit(timeouts_.idle);
  }
  while (!(end = find_head_end(buffer_.view(), scanned))) {
    if (!buffer_.empty() && !begun) {
      begun = true;
      stream_.limit(timeouts_.head);  // for the whole head, not for each read
    }
    if (buffer_.view().size() > limits_.head_bytes_max) {
      co_return head_too_large(buffer_.view(), limits_);
    }
    const StreamError error = co_await buffer_.fill(stream_);
    if (error == StreamError::timed_out && begun) {
      stream_.limit(timeouts_.body);  // for the answer
      co_return WireFault{408, Reason::limit_time, "the request head did not arrive in time"};
    }
    if (error == StreamError::end && begun) {
      co_return WireFault{400, Reason::framing_invalid, "the request head was cut off"};
    }
    if (error != StreamError::none) co_return End::closed;
  }
  stream_.limit(timeouts_.body);
  RequestHead head;
  const auto parsed = parse_request_head(buffer_.view().substr(0, *end), limits_, head);
  if (!parsed) co_return parsed.error();
  auto length = take_request_length(head);
  if (!length) co_return length.error();
  buffer_.consume(*end);
  co_return std::make_unique<Http1ClientExchange>(*this, std::move(head), *length);
}

Task<void> send_last_reply(Stream& stream, const Reply& reply) {
  std::string out;
  append_response_head(out, reply.head, {BodyLength::Kind::length, reply.body.size()}, true);
  out += reply.body;
  stream.limit(std::chrono::seconds(5));
  co_await stream.write(out);
}

}  // namespace egret
