#include "proxy/io/http2_stream.h"

#include <algorithm>
#include <utility>

#include "proxy/io/http2_connection.h"

namespace egret {

Http2Stream::Http2Stream(Http2Connection& connection, StreamId id,
                         const asio::any_io_executor& executor)
    : connection_(&connection), id_(id), readable_event_(executor), writable_event_(executor) {}

StreamError Http2Stream::broken() const {
  return error_ == StreamError::none ? StreamError::closed : error_;
}

Task<Result<BodyPiece, BodyFault>> Http2Stream::read(std::chrono::milliseconds limit) {
  if (piece_bytes_ > 0) {
    if (connection_ != nullptr) connection_->consumed(id_, piece_bytes_);
    handed_at_ += std::exchange(piece_bytes_, 0);
  }
  while (handed_at_ == handed_.size() && received_.empty()) {
    if (received_end_) co_return BodyPiece{{}, true};
    if (reading_stopped_) co_return BodyFault{StreamError::closed, std::nullopt};
    if (connection_ == nullptr) co_return BodyFault{broken(), std::nullopt};
    std::string().swap(handed_);  // what waits holds nothing
    std::string().swap(received_);
    handed_at_ = 0;
    const bool woken = co_await readable_event_.wait(limit);
    if (!woken) co_return BodyFault{StreamError::timed_out, std::nullopt};
  }
  if (handed_at_ == handed_.size()) {
    handed_.clear();
    handed_.swap(received_);
    handed_at_ = 0;
  }
  const std::string_view piece = std::string_view(handed_).substr(handed_at_, piece_bytes_max);
  piece_bytes_ = piece.size();
  const bool last =
      received_end_ && received_.empty() && handed_at_ + piece.size() == handed_.size();
  co_return BodyPiece{piece, last};
}

Task<StreamError> Http2Stream::write(std::string_view data, std::chrono::milliseconds limit) {
  sending_ = data;
  if (left_) {
    *left_ -= std::min<std::uint64_t>(*left_, data.size());
    ending_ = ending_ || *left_ == 0;
  }
  if (connection_ != nullptr) connection_->resume(id_);
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!sending_.empty() && connection_ != nullptr) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      sending_ = {};
      co_return StreamError::timed_out;  // a window that stays shut
    }
    co_await writable_event_.wait(left);
  }
  const bool all = sending_.empty();
  sending_ = {};
  co_return all ? StreamError::none : broken();
}

Task<StreamError> Http2Stream::finish(const FieldList& trailers, std::chrono::milliseconds limit) {
  if (!ending_) {
    trailers_ = trailers;
    ending_ = true;
    if (connection_ != nullptr) connection_->resume(id_);
  }
  while (!end_sent_ && connection_ != nullptr) {
    const bool woken = co_await writable_event_.wait(limit);
    if (!woken) co_return StreamError::timed_out;
  }
  co_return end_sent_ ? StreamError::none : broken();
}

Task<Result<ResponseHead, BodyFault>> Http2Stream::read_head(std::chrono::milliseconds limit) {
  while (heads_.empty()) {
    if (connection_ == nullptr) co_return BodyFault{broken(), std::nullopt};
    const bool woken = co_await readable_event_.wait(limit);
    if (!woken) co_return BodyFault{StreamError::timed_out, std::nullopt};
  }
  ResponseHead head = std::move(heads_.front());
  heads_.pop_front();
  co_return head;
}

// What was received and not taken no longer counts against the connection's window. It can still be
// read: a stream that is closed has often ended well.
void Http2Stream::give_up_received() {
  const std::size_t held = received_.size() + handed_.size() - handed_at_;
  if (held > 0) connection_->consumed_for_connection(held);
}

void Http2Stream::reset(std::uint32_t code) {
  if (connection_ != nullptr) {
    give_up_received();
    connection_->reset(id_, code);
  }
  given_up_ = nullptr;
  error_ = StreamError::closed;
  connection_ = nullptr;
  sending_ = {};
  readable_event_.notify();
  writable_event_.notify();
}

void Http2Stream::stop_reading() {
  reading_stopped_ = true;
  readable_event_.notify();
}

void Http2Stream::leave() {
  given_up_ = nullptr;
  sending_ = {};
  if (connection_ == nullptr) return;
  if (!end_sent_) return reset(http2_code::cancel);
  if (!received_end_) return reset(http2_code::no_error);  // the rest is not needed
  give_up_received();
  connection_ = nullptr;
}

void Http2Stream::head_received(ResponseHead head) {
  if (heads_.size() == heads_max) return reset(http2_code::cancel);
  heads_.push_back(std::move(head));
  readable_event_.notify();
}

void Http2Stream::data_received(std::string_view data) {
  received_.append(data);
  readable_event_.notify();
}

void Http2Stream::end_received(FieldList trailers) {
  received_end_ = true;
  received_trailers_ = std::move(trailers);
  readable_event_.notify();
}

void Http2Stream::closed(std::uint32_t code) {
  if (connection_ == nullptr) return;
  give_up_received();
  refused_ = code == http2_code::refused_stream;
  end_with(StreamError::failed);
}

void Http2Stream::connection_ended(StreamError error) {
  end_with(error);
}

void Http2Stream::end_with(StreamError error) {
  if (error_ == StreamError::none) error_ = error;
  connection_ = nullptr;
  readable_event_.notify();
  writable_event_.notify();
  const auto given_up = std::exchange(given_up_, nullptr);
  if (given_up && !end_sent_) given_up();
}

void Http2Stream::taken(std::size_t bytes) {
  sending_.remove_prefix(std::min(bytes, sending_.size()));
  if (sending_.empty()) writable_event_.notify();
}

void Http2Stream::end_sent() {
  end_sent_ = true;
  writable_event_.notify();
}

}  // namespace egret
