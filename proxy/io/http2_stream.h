// One HTTP/2 stream: what has arrived on it and what is to be sent. What arrives is bounded by the
// window, which opens again only as the data is taken; what is sent is a view of the sender's
// buffer and no copy (ATTACKS E09).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/io/event.h"
#include "proxy/io/http.h"
#include "proxy/wire/http2.h"

namespace egret {

class Http2Connection;

class Http2Stream {
 public:
  static constexpr std::size_t piece_bytes_max = 64 * 1024;

  Http2Stream(Http2Connection& connection, StreamId id, const asio::any_io_executor& executor);

  StreamId id() const { return id_; }

  // For the exchange.
  Task<Result<BodyPiece, BodyFault>> read(std::chrono::milliseconds limit);
  Task<StreamError> write(std::string_view data, std::chrono::milliseconds limit);
  // Ends our side and waits until that has been sent.
  Task<StreamError> finish(const FieldList& trailers, std::chrono::milliseconds limit);
  Task<Result<ResponseHead, BodyFault>> read_head(std::chrono::milliseconds limit);
  void reset(std::uint32_t code);
  void stop_reading();
  void resume_reading() { reading_stopped_ = false; }
  // Called if the peer, or the connection, ends before we have sent all.
  void when_given_up(std::function<void()> then) { given_up_ = std::move(then); }
  // The exchange is over: what it left undone is undone for good.
  void leave();
  // The head that was submitted is the whole message.
  void head_ends() { ending_ = true; }
  // The head said how much follows: our side ends with the last byte of it. Who counts would not
  // wait for an end that comes behind.
  void counts_to(BodyLength length) {
    if (length.kind == BodyLength::Kind::length) left_ = length.bytes;
  }

  bool readable() const { return !received_.empty() || received_end_; }
  bool received_all() const { return received_end_ && received_.empty(); }
  bool is_open() const { return connection_ != nullptr; }
  bool refused() const { return refused_; }
  const FieldList& trailers() const { return received_trailers_; }

  // For the connection.
  void head_received(ResponseHead head);
  void data_received(std::string_view data);
  void end_received(FieldList trailers);
  void closed(std::uint32_t code);
  void connection_ended(StreamError error);
  Http2Outgoing outgoing() const { return {sending_, ending_, &trailers_}; }
  void taken(std::size_t bytes);
  void end_sent();

 private:
  static constexpr std::size_t heads_max = 16;
  StreamError broken() const;
  void end_with(StreamError error);
  void give_up_received();

  Http2Connection* connection_;  // null once closed
  StreamId id_;
  Event readable_event_;
  Event writable_event_;

  std::deque<ResponseHead> heads_;
  std::string received_;  // not handed out yet
  std::string handed_;    // being handed out, piece by piece
  std::size_t handed_at_ = 0;
  std::size_t piece_bytes_ = 0;  // of handed_, with the reader now
  FieldList received_trailers_;
  bool received_end_ = false;
  bool reading_stopped_ = false;

  std::string_view sending_;
  FieldList trailers_;
  std::optional<std::uint64_t> left_;  // of a counted body
  bool ending_ = false;
  bool end_sent_ = false;

  std::function<void()> given_up_;
  StreamError error_ = StreamError::none;
  bool refused_ = false;  // surely not acted on (RFC 9113 8.7)
};

}  // namespace egret
