// HTTP/2 on the wire (RFC 9113, RFC 7541): one connection's bytes to events and back, on nghttp2.
// Strict where the library is lenient, and it gives up on a peer that costs more than it asks for
// (ATTACKS group E, K2). No sockets, no coroutines, no clock: the caller says what time it is.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/result.h"
#include "proxy/wire/message.h"

struct nghttp2_session;

namespace egret {

struct Http2Limits {
  std::uint32_t streams_max = 100;         // at once
  std::size_t head_bytes_max = 32 * 1024;  // names, values and 32 octets a field (RFC 9113 10.5.1)
  std::size_t fields_max = 100;
  std::size_t field_bytes_max = 8 * 1024;
  std::size_t target_bytes_max = 8 * 1024;
  std::size_t trailer_bytes_max = 8 * 1024;
  // What a peer may send on a stream before it is taken: every stream gets the least, and as much
  // more as is left of half the connection's window, up to the most. Half, because the library
  // opens the connection's window only once half of it was taken: streams that nobody reads must
  // leave that much to the others. For clients the least is what they assume before they know, as
  // some cannot bear less; they can hold up their own streams. What is held of a connection at the
  // worst is three times what may wait: growing strings, and the rewritten copy of what is on its
  // way.
  std::int32_t stream_window_min = 64 * 1024;
  std::int32_t stream_window_max = 64 * 1024;
  std::int32_t connection_window = 1280 * 1024;
  // In any ten seconds; over it the connection ends with ENHANCE_YOUR_CALM.
  unsigned resets_received_max = 200;
  unsigned resets_caused_max = 100;  // resets that the peer made us send (CVE-2025-8671)
  unsigned idle_frames_max = 1000;   // that move nothing: PING, SETTINGS, PRIORITY, empty DATA, …

  // Origins are far away: a window as large as the bound of a stream's memory lets. Several clients
  // share a connection: none of them can hold up another by not reading.
  static Http2Limits for_origins() {
    Http2Limits limits;
    limits.streams_max = 32;
    limits.connection_window = 2560 * 1024;
    limits.stream_window_min = 16 * 1024;
    limits.stream_window_max = 256 * 1024;
    return limits;
  }
};

// Error codes of RFC 9113 7 that Egret uses by name.
namespace http2_code {
inline constexpr std::uint32_t no_error = 0x0;
inline constexpr std::uint32_t internal_error = 0x2;
inline constexpr std::uint32_t refused_stream = 0x7;
inline constexpr std::uint32_t cancel = 0x8;
}  // namespace http2_code

using StreamId = std::int32_t;

// A request as it came: without connection-specific fields, `host` set from :authority, cookie
// crumbs joined. Content-Length is still among the fields.
struct Http2Request {
  RequestHead head;
  std::string protocol;    // of an extended CONNECT (RFC 8441), else empty
  bool ends_here = false;  // no body and no trailers follow
};

// Body data, or its end, that a stream has for the peer.
struct Http2Outgoing {
  std::string_view data;
  bool end = false;                     // behind `data`
  const FieldList* trailers = nullptr;  // with the end; null or empty: none
};

// What happens on a connection. Called from within receive() and collect(): only remember what was
// said there; submit something once they have returned.
class Http2Events {
 public:
  virtual ~Http2Events() = default;
  // Server: a request is whole, or was none (its head holds what could be read). A faulty one can
  // be answered while its stream is open.
  virtual void on_request(StreamId stream, Http2Request request) = 0;
  virtual void on_malformed(StreamId stream, Http2Request request, const WireFault& fault) = 0;
  // Client: also interim ones. Content-Length is still among the fields.
  virtual void on_response(StreamId stream, ResponseHead head) = 0;
  // Both.
  virtual void on_data(StreamId stream, std::string_view data) = 0;
  virtual void on_end(StreamId stream, FieldList trailers) = 0;
  virtual void on_closed(StreamId stream, std::uint32_t code) = 0;
  virtual Http2Outgoing outgoing(StreamId stream) = 0;
  virtual void taken(StreamId stream, std::size_t bytes) = 0;  // of what outgoing() said
  virtual void on_end_sent(StreamId stream) = 0;
};

class Http2Session {
 public:
  enum class Role : std::uint8_t { server, client };
  using Time = std::chrono::steady_clock::time_point;

  Http2Session(Role role, const Http2Limits& limits, Http2Events& events);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Takes bytes of the peer, at most 16 KiB at a time so that a flood is seen before it is served.
  // A fault (`h2_error`, `h2_abuse`) is the connection's end: collect() what says so and close.
  Result<void, WireFault> receive(std::string_view bytes, Time now);
  // Appends what is to be sent, about `bytes_max` at most. Nothing: nothing is to be sent now.
  void collect(std::string& out, std::size_t bytes_max);
  // Neither side has anything to say any more.
  bool finished() const;
  // The peer's fault that ended the connection, also where only collect() has come upon it.
  std::optional<WireFault> fault() const;

  // Server. With a body, outgoing() is asked for it.
  void respond_interim(StreamId stream, const ResponseHead& head);
  void respond(StreamId stream, const ResponseHead& head, BodyLength length, bool with_body);
  // Client: the stream's id, or nothing where no further stream is possible here. Fields marked as
  // sensitive and every credential field stay out of the compression table (ATTACKS E16).
  std::optional<StreamId> request(const RequestHead& head, BodyLength length, bool with_body);
  // Client: the peer takes one more stream now, beside those about to be begun.
  bool has_room(std::uint32_t about_to_begin) const;

  // outgoing() has something new to say.
  void resume(StreamId stream);
  // Body bytes were taken: the peer may send as many more.
  void consumed(StreamId stream, std::size_t bytes);
  void consumed_for_connection(std::size_t bytes);  // on a stream that is given up
  void reset(StreamId stream, std::uint32_t code);
  // No new streams; those that are there go on.
  void go_away();

 private:
  friend struct Http2Callbacks;
  struct Building;  // the head or the trailers that are being received
  struct FreeSession {
    void operator()(nghttp2_session* session) const noexcept;
  };
  // Counts events in windows of ten seconds.
  struct Budget {
    Time since{};
    unsigned count = 0;
    bool spend(Time now, unsigned most);
  };

  void announce();
  void meter(std::string_view bytes);
  void widen(StreamId stream);
  void abuse(const char* what);
  void refuse(StreamId stream);
  void finish_head(StreamId stream, bool ends);

  Role role_;
  Http2Limits limits_;
  Http2Events& events_;
  std::unique_ptr<nghttp2_session, FreeSession> session_;
  std::unique_ptr<Building> building_;
  std::array<char, 9> frame_head_{};  // of the frame that is being received
  std::size_t frame_head_bytes_ = 0;
  std::size_t frame_left_;      // octets before the next frame's head
  std::string* out_ = nullptr;  // while collecting
  std::size_t out_until_ = 0;
  Time now_{};
  Budget resets_received_, resets_caused_, idle_frames_;
  unsigned own_resets_ = 0;                           // submitted by us and not sent yet
  std::unordered_map<StreamId, std::int32_t> wider_;  // streams with more than the least window
  std::int32_t spare_ = 0;                            // of the connection's window
  std::uint32_t open_ = 0;                            // client: streams begun and not closed
  bool going_ = false;                                // GOAWAY sent or received
  bool broken_ = false;                               // the peer broke the protocol
  const char* abuse_ = nullptr;
};

}  // namespace egret
