#include "proxy/io/http2_client.h"

#include <array>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <openssl/rand.h>

#include "proxy/exchange/base64.h"
#include "proxy/wire/http1.h"

namespace egret {
namespace {

constexpr std::chrono::hours forever{24};
constexpr BodyLength empty{BodyLength::Kind::length, 0};

// An extended CONNECT for a WebSocket as the upgrade request that it stands for, so that the
// decision, the record and the origin see one kind of WebSocket only.
void make_upgrade(RequestHead& head) {
  std::array<unsigned char, 16> key{};
  RAND_bytes(key.data(), static_cast<int>(key.size()));
  head.method = "GET";
  head.fields.remove("sec-websocket-key");
  head.fields.add("connection", "Upgrade");
  head.fields.add("upgrade", "websocket");
  head.fields.add("sec-websocket-key",
                  base64_encode({reinterpret_cast<const char*>(key.data()), key.size()}));
}

// How long the body is: counted, or until the stream's end.
Result<BodyLength, WireFault> request_length(Http2Request& request) {
  if (!request.protocol.empty()) return BodyLength{};
  auto length = take_request_length(request.head);
  if (!length) return length;
  if (length->kind != BodyLength::Kind::none || request.ends_here) return length;
  if (expects_no_body(request.head.method))
    return WireFault{400, Reason::framing_invalid, "a body of unknown length on such a method"};
  return BodyLength{BodyLength::Kind::chunked, 0};
}

}  // namespace

class Http2ClientExchange final : public ClientExchange {
 public:
  Http2ClientExchange(Http2ClientConnection& connection, std::shared_ptr<Http2Stream> stream,
                      RequestHead head, BodyLength length)
      : connection_(connection),
        stream_(std::move(stream)),
        head_(std::move(head)),
        length_(length) {}

  ~Http2ClientExchange() override {
    stream_->leave();
    connection_.exchange_over();
  }

  const RequestHead& head() const override { return head_; }
  BodyLength request_length() const override { return length_; }
  const FieldList& trailers() const override { return stream_->trailers(); }
  bool responded() const override { return responded_; }
  bool takes_chunks() const override { return true; }
  bool takes_trailers() const override { return true; }
  void close_after_response() override {}  // a stream ends by itself, its neighbours go on
  void abort() override { stream_->reset(http2_code::internal_error); }
  void when_given_up(std::function<void()> then) override {
    stream_->when_given_up(std::move(then));
  }
  void stop_reading() override { stream_->stop_reading(); }
  void resume() override { stream_->resume_reading(); }

  Task<Result<BodyPiece, BodyFault>> read_body() override { return stream_->read(patience()); }

  Task<StreamError> send_continue() override {
    ResponseHead head;
    head.status = 100;
    co_return co_await send_interim(head);
  }

  Task<StreamError> send_interim(const ResponseHead& head) override {
    if (!stream_->is_open()) co_return StreamError::closed;
    connection_.session().respond_interim(stream_->id(), head);
    connection_.wake_writer();
    co_return StreamError::none;
  }

  Task<StreamError> send_head(const ResponseHead& head, BodyLength length,
                              std::string_view first) override {
    responded_ = true;
    if (!stream_->is_open()) co_return StreamError::closed;
    if (head.status == 101) {
      accept_upgrade(head);
      co_return StreamError::none;
    }
    // A body known to be empty ends with its head: gRPC tells an answer of trailers alone by that.
    const bool with_body =
        length.kind != BodyLength::Kind::none && length != empty && head_.method != "HEAD";
    if (!with_body) stream_->head_ends();
    if (with_body) stream_->counts_to(length);
    connection_.session().respond(stream_->id(), head, length, with_body);
    connection_.wake_writer();
    if (first.empty() || !with_body) co_return StreamError::none;
    co_return co_await stream_->write(first, patience());
  }

  Task<StreamError> send_body(std::string_view data) override {
    if (data.empty()) co_return StreamError::none;
    co_return co_await stream_->write(data, patience());
  }

  Task<StreamError> finish(const FieldList& trailers) override {
    co_return co_await stream_->finish(trailers, patience());
  }

 private:
  // 200 instead of 101, and none of the fields that only an HTTP/1.1 upgrade has (RFC 8441 5).
  void accept_upgrade(const ResponseHead& head) {
    upgraded_ = true;
    ResponseHead accepted = head;
    accepted.status = 200;
    for (const std::string_view name : {"connection", "upgrade", "sec-websocket-accept"})
      accepted.fields.remove(name);
    connection_.session().respond(stream_->id(), accepted, BodyLength(), true);
    connection_.wake_writer();
  }

  std::chrono::milliseconds patience() const {
    return upgraded_ ? connection_.timeouts_.upgraded : connection_.timeouts_.body;
  }

  Http2ClientConnection& connection_;
  std::shared_ptr<Http2Stream> stream_;
  RequestHead head_;
  BodyLength length_;
  bool upgraded_ = false;
  bool responded_ = false;
};

Http2ClientConnection::Http2ClientConnection(Stream& stream, const Http2Limits& limits,
                                             const ClientTimeouts& timeouts, Serve serve)
    : Http2Connection(stream, Http2Session::Role::server, limits, timeouts.idle, timeouts.body),
      timeouts_(timeouts),
      serve_(std::move(serve)),
      exchanges_max_(limits.streams_max),
      to_serve_(executor()),
      all_over_(executor()) {}

Task<std::optional<WireFault>> Http2ClientConnection::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (read() && write() && serve());
  waiting_.clear();
  while (exchanges_ > 0)
    co_await all_over_.wait(forever);
  co_return fault();
}

void Http2ClientConnection::on_request(StreamId id, Http2Request request) {
  waiting_.push_back({open_stream(id), std::move(request), std::nullopt});
}

void Http2ClientConnection::on_malformed(StreamId id, Http2Request request,
                                         const WireFault& fault) {
  waiting_.push_back({open_stream(id), std::move(request), fault});
}

// Serves what had to wait because others were being served.
Task<void> Http2ClientConnection::serve() {
  while (!ended()) {
    serve_waiting();
    co_await to_serve_.wait(forever);
  }
}

// What was reset before its turn has cost nothing and is forgotten.
void Http2ClientConnection::serve_waiting() {
  while (!waiting_.empty() && exchanges_ < exchanges_max_ && !ended()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next.stream->is_open() && !next.fault) continue;
    Arrival arrival;
    arrival.fault = next.fault;
    BodyLength length;
    if (!arrival.fault) {
      const auto found = request_length(next.request);
      if (found) {
        length = *found;
      } else {
        arrival.fault = found.error();
      }
    }
    const bool extended = !next.request.protocol.empty();
    if (extended && !arrival.fault) {
      if (next.request.protocol == "websocket") {
        make_upgrade(next.request.head);
      } else {
        arrival.fault = WireFault{501, Reason::upgrade_denied,
                                  "of the protocols of an extended CONNECT only websocket"};
      }
    }
    ++exchanges_;
    arrival.exchange = std::make_unique<Http2ClientExchange>(*this, std::move(next.stream),
                                                             std::move(next.request.head), length);
    serve_(std::move(arrival));
  }
}

void Http2ClientConnection::exchange_over() {
  --exchanges_;
  if (exchanges_ == 0) all_over_.notify();
  to_serve_.notify();
}

}  // namespace egret
