#include "proxy/io/http2_connection.h"

#include <array>
#include <utility>

#include "policy/secret/secret.h"

namespace egret {
namespace {

constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t write_bytes = 32 * 1024;
constexpr std::chrono::hours forever{24};

}  // namespace

Http2Connection::Http2Connection(Stream& stream, Http2Session::Role role, const Http2Limits& limits,
                                 std::chrono::milliseconds idle, std::chrono::milliseconds write)
    : role_(role),
      stream_(stream),
      session_(role, limits, *this),
      to_write_(stream.socket().get_executor()),
      idle_(idle),
      write_(write) {}

void Http2Connection::consumed(StreamId id, std::size_t bytes) {
  session_.consumed(id, bytes);
  wake_writer();
}
void Http2Connection::consumed_for_connection(std::size_t bytes) {
  session_.consumed_for_connection(bytes);
  wake_writer();
}
void Http2Connection::resume(StreamId id) {
  session_.resume(id);
  wake_writer();
}
void Http2Connection::reset(StreamId id, std::uint32_t code) {
  session_.reset(id, code);
  wake_writer();
}

std::shared_ptr<Http2Stream> Http2Connection::open_stream(StreamId id) {
  auto stream = std::make_shared<Http2Stream>(*this, id, executor());
  streams_.insert_or_assign(id, stream);
  rest_limit();
  return stream;
}

std::shared_ptr<Http2Stream> Http2Connection::find(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

// A connection without streams may rest for a while only; one with streams as long as they do, but
// a write that does not get through ends it.
void Http2Connection::rest_limit() {
  if (writing_) {
    stream_.limit(write_);
  } else if (streams_.empty()) {
    stream_.limit(idle_);
  } else {
    stream_.no_limit();
  }
}

Task<void> Http2Connection::read() {
  const auto buffer = std::make_unique<std::array<char, read_bytes>>();
  while (!ended_) {
    rest_limit();
    const ReadResult got = co_await stream_.read_some(*buffer);
    if (got.error == StreamError::timed_out) session_.go_away();
    if (got.error != StreamError::none) break;
    const auto taken =
        session_.receive({buffer->data(), got.bytes}, std::chrono::steady_clock::now());
    received();
    wake_writer();
    if (!taken) {
      fault_ = taken.error();
      break;
    }
    if (session_.finished()) break;
  }
  end();
}

Task<void> Http2Connection::write() {
  std::string out;
  while (true) {
    out.clear();
    session_.collect(out, write_bytes);
    if (out.empty()) {
      if (ended_) break;
      if (session_.finished()) {
        end();
        stream_.interrupt();  // the reader
        break;
      }
      co_await to_write_.wait(forever);
      continue;
    }
    writing_ = true;
    rest_limit();
    const StreamError error = co_await stream_.write(out);
    writing_ = false;
    if (role_ == Http2Session::Role::client) wipe_bytes(out.data(), out.size());  // secrets
    rest_limit();
    if (error != StreamError::none) {
      end();
      stream_.interrupt();
      break;
    }
  }
}

// What was being exchanged cannot be completed.
void Http2Connection::end() {
  if (ended_) return;
  ended_ = true;
  const StreamError error = stream_.timed_out() ? StreamError::timed_out : StreamError::failed;
  const auto streams = std::exchange(streams_, {});
  for (const auto& [id, stream] : streams)
    stream->connection_ended(error);
  wake_writer();
  on_ended();
}

void Http2Connection::on_data(StreamId id, std::string_view data) {
  const auto stream = find(id);
  if (stream && stream->is_open()) {
    stream->data_received(data);
  } else {
    session_.consumed_for_connection(data.size());
  }
}

void Http2Connection::on_end(StreamId id, FieldList trailers) {
  if (const auto stream = find(id)) stream->end_received(std::move(trailers));
}

void Http2Connection::on_closed(StreamId id, std::uint32_t code) {
  const auto stream = find(id);
  if (!stream) return;
  streams_.erase(id);
  stream->closed(code);
  if (streams_.empty()) rest_limit();
}

void Http2Connection::on_end_sent(StreamId id) {
  if (const auto stream = find(id)) stream->end_sent();
}

Http2Outgoing Http2Connection::outgoing(StreamId id) {
  const auto stream = find(id);
  return stream ? stream->outgoing() : Http2Outgoing{};
}

void Http2Connection::taken(StreamId id, std::size_t bytes) {
  if (const auto stream = find(id)) stream->taken(bytes);
}

}  // namespace egret
