// One HTTP/2 connection's I/O, for both roles: one coroutine reads, one writes, the streams are
// served by others. On one worker's thread. At most one piece a stream and one write are in memory
// towards the peer, and what the windows allow from it (ATTACKS E09, H04).
#pragma once

#include <chrono>
#include <memory>
#include <unordered_map>

#include "proxy/io/http2_stream.h"
#include "proxy/io/stream.h"
#include "proxy/wire/http2.h"

namespace egret {

class Http2Connection : private Http2Events {
 public:
  Http2Connection(Stream& stream, Http2Session::Role role, const Http2Limits& limits,
                  std::chrono::milliseconds idle, std::chrono::milliseconds write);
  ~Http2Connection() override = default;
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  // For the streams.
  void consumed(StreamId id, std::size_t bytes);
  void consumed_for_connection(std::size_t bytes);
  void resume(StreamId id);
  void reset(StreamId id, std::uint32_t code);

  bool ended() const { return ended_; }

 protected:
  // Both until the connection ends.
  Task<void> read();
  Task<void> write();

  // After every piece of input, outside of the codec's callbacks.
  virtual void received() {}
  virtual void on_ended() {}

  void on_request(StreamId, Http2Request) override {}
  void on_malformed(StreamId, Http2Request, const WireFault&) override {}
  void on_response(StreamId, ResponseHead) override {}

  std::shared_ptr<Http2Stream> open_stream(StreamId id);
  std::shared_ptr<Http2Stream> find(StreamId id) const;
  void wake_writer() { to_write_.notify(); }
  void end();
  Http2Session& session() { return session_; }
  Stream& stream() { return stream_; }
  asio::any_io_executor executor() { return stream_.socket().get_executor(); }
  std::optional<WireFault> fault() const { return fault_ ? fault_ : session_.fault(); }

 private:
  void on_data(StreamId id, std::string_view data) override;
  void on_end(StreamId id, FieldList trailers) override;
  void on_closed(StreamId id, std::uint32_t code) override;
  void on_end_sent(StreamId id) override;
  Http2Outgoing outgoing(StreamId id) override;
  void taken(StreamId id, std::size_t bytes) override;
  void rest_limit();

  Http2Session::Role role_;
  Stream& stream_;
  Http2Session session_;
  std::unordered_map<StreamId, std::shared_ptr<Http2Stream>> streams_;
  Event to_write_;
  std::chrono::milliseconds idle_;
  std::chrono::milliseconds write_;
  std::optional<WireFault> fault_;
  bool ended_ = false;
  bool writing_ = false;
};

}  // namespace egret
