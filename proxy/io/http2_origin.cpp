#include "proxy/io/http2_origin.h"

#include <utility>

namespace egret {
namespace {

using ConnectionPtr = std::shared_ptr<Http2OriginConnection>;

}  // namespace

class Http2OriginExchange final : public OriginExchange {
 public:
  Http2OriginExchange(ConnectionPtr connection, std::string method)
      : connection_(std::move(connection)), method_(std::move(method)) {
    ++connection_->promised_;
  }

  ~Http2OriginExchange() override {
    keep_promise();
    if (stream_) stream_->leave();
  }

  Task<StreamError> send_head(const RequestHead& head, BodyLength length,
                              std::string_view first) override {
    const bool with_body = length.kind != BodyLength::Kind::none;
    keep_promise();
    const auto id = connection_->session().request(head, length, with_body);
    if (!id) {
      refused_ = true;
      co_return StreamError::closed;
    }
    stream_ = connection_->open_stream(*id);
    if (!with_body) stream_->head_ends();
    if (with_body) stream_->counts_to(length);
    connection_->wake_writer();
    if (first.empty()) co_return StreamError::none;
    co_return co_await stream_->write(first, connection_->timeouts_.head);
  }

  Task<StreamError> send_body(std::string_view data) override {
    if (!stream_) co_return StreamError::closed;
    if (data.empty()) co_return StreamError::none;
    co_return co_await stream_->write(data, connection_->timeouts_.head);
  }

  Task<StreamError> finish_request(const FieldList& trailers) override {
    if (!stream_) co_return StreamError::closed;
    co_return co_await stream_->finish(trailers, connection_->timeouts_.head);
  }

  Task<Result<ResponseHead, BodyFault>> read_head() override {
    if (!stream_) co_return BodyFault{StreamError::closed, std::nullopt};
    auto head = co_await stream_->read_head(connection_->timeouts_.head);
    if (!head) co_return head.error();
    answered_ = true;
    const auto length = take_response_length(*head, method_);
    if (!length) co_return BodyFault{StreamError::none, length.error()};
    if (head->status < 200) co_return head;
    length_ = *length;
    if (length_.kind == BodyLength::Kind::until_close) length_.kind = BodyLength::Kind::chunked;
    if (stream_->received_all() && stream_->trailers().empty() &&
        length_.kind == BodyLength::Kind::chunked)
      length_ = {BodyLength::Kind::length, 0};  // it has ended with its head
    co_return head;
  }

  BodyLength response_length() const override { return length_; }

  Task<Result<BodyPiece, BodyFault>> read_body() override {
    co_return co_await stream_->read(connection_->timeouts_.body);
  }

  bool body_at_hand() const override { return stream_ && stream_->readable(); }
  const FieldList& trailers() const override { return stream_->trailers(); }
  const std::string& address() const override { return connection_->origin_.address; }
  Replay replay() const override {
    if (refused_ || (stream_ && stream_->refused())) return Replay::always;
    return answered_ ? Replay::never : Replay::if_idempotent;
  }
  void abort() override {
    if (stream_) stream_->reset(http2_code::cancel);
  }

 private:
  // The stream counts by itself now, or there will be none.
  void keep_promise() {
    if (std::exchange(promised_, false)) --connection_->promised_;
  }

  ConnectionPtr connection_;
  std::shared_ptr<Http2Stream> stream_;
  std::string method_;
  BodyLength length_;
  bool promised_ = true;
  bool refused_ = false;
  bool answered_ = false;
};

Http2OriginConnection::Http2OriginConnection(OriginStream origin, const Http2Limits& limits,
                                             const OriginTimeouts& timeouts)
    : Http2Connection(*origin.stream, Http2Session::Role::client, limits, timeouts.pooled,
                      timeouts.body),
      origin_(std::move(origin)),
      timeouts_(timeouts) {}

ConnectionPtr Http2OriginConnection::start(OriginStream origin, const Http2Limits& limits,
                                           const OriginTimeouts& timeouts) {
  ConnectionPtr connection(new Http2OriginConnection(std::move(origin), limits, timeouts));
  const auto keep_reading = [](ConnectionPtr self) -> Task<void> { co_await self->read(); };
  const auto keep_writing = [](ConnectionPtr self) -> Task<void> {
    co_await self->write();
    self->stream().close();
  };
  asio::co_spawn(connection->executor(), keep_reading(connection), asio::detached);
  asio::co_spawn(connection->executor(), keep_writing(connection), asio::detached);
  return connection;
}

std::unique_ptr<OriginExchange> Http2OriginConnection::begin(std::string method) {
  return std::make_unique<Http2OriginExchange>(shared_from_this(), std::move(method));
}

void Http2OriginConnection::retire() {
  if (retired_ || ended()) return;
  retired_ = true;
  session().go_away();
  wake_writer();
}

void Http2OriginConnection::on_response(StreamId id, ResponseHead head) {
  if (const auto stream = find(id)) stream->head_received(std::move(head));
}

}  // namespace egret
