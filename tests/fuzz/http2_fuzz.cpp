// HTTP/2, either role: whatever the peer sends, no message has more fields than the limit, no
// stream holds more than its window, nothing comes behind an end, and what is sent stays as small
// as what was asked for.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "proxy/wire/http2.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

constexpr std::size_t first_window =
    65535;  // until the peer has seen our SETTINGS (RFC 9113 6.9.2)
constexpr std::size_t body_bytes = 3000;

Http2Limits small_limits() {
  Http2Limits limits;
  limits.streams_max = 5;
  limits.head_bytes_max = 1000;
  limits.fields_max = 12;
  limits.field_bytes_max = 200;
  limits.target_bytes_max = 100;
  limits.trailer_bytes_max = 300;
  limits.stream_window_min = limits.stream_window_max = 2000;
  limits.connection_window = 70'000;
  limits.resets_received_max = 8;
  limits.resets_caused_max = 8;
  limits.idle_frames_max = 20;
  return limits;
}

class Watcher final : public Http2Events {
 public:
  explicit Watcher(Http2Session::Role role) : role_(role), session_(role, limits_, *this) {
    if (role_ == Http2Session::Role::client) ask();
  }

  // False at the end of the connection.
  bool take(std::string_view bytes) {
    inside_ = true;
    const bool fine = session_.receive(bytes, {}).has_value();
    inside_ = false;
    act();
    std::string out;
    inside_ = true;
    session_.collect(out, 4096);
    inside_ = false;
    require(out.size() < 100'000, "what is sent stays small");
    return fine && !session_.finished();
  }

  void on_request(StreamId stream, Http2Request request) override {
    require(role_ == Http2Session::Role::server, "only a server is asked");
    check(request.head.fields, limits_.fields_max, limits_.head_bytes_max);
    require(request.head.target.size() <= limits_.target_bytes_max, "a target has a limit");
    begin(stream);
    to_answer_.push_back(stream);
  }
  void on_malformed(StreamId stream, Http2Request, const WireFault& fault) override {
    require(fault.status >= 400 && fault.status < 600, "a fault has a status");
    streams_[stream].malformed = true;
    to_answer_.push_back(stream);
  }
  void on_response(StreamId stream, ResponseHead head) override {
    require(role_ == Http2Session::Role::client, "only a client is answered");
    require(head.status >= 100 && head.status < 600, "a status is one");
    check(head.fields, limits_.fields_max, limits_.head_bytes_max);
    require(!streams_[stream].ended, "no head behind the end");
  }
  void on_data(StreamId stream, std::string_view data) override {
    Stream& on = streams_[stream];
    require(!on.ended && !on.closed, "no data behind the end");
    on.held += data.size();
    held_ += data.size();
    require(on.held <= first_window, "a stream holds no more than its window");
    require(held_ <= 70'000 + first_window, "nor the connection");
  }
  void on_end(StreamId stream, FieldList trailers) override {
    Stream& on = streams_[stream];
    require(!on.ended && !on.closed, "a message ends once");
    on.ended = true;
    check(trailers, limits_.fields_max, limits_.trailer_bytes_max);
  }
  void on_closed(StreamId stream, std::uint32_t) override {
    Stream& on = streams_[stream];
    require(!on.closed, "a stream closes once");
    on.closed = true;
  }
  Http2Outgoing outgoing(StreamId stream) override {
    const Stream& on = streams_[stream];
    return {std::string_view(body_).substr(on.sent), true, &trailers_};
  }
  void taken(StreamId stream, std::size_t bytes) override {
    streams_[stream].sent += bytes;
    require(streams_[stream].sent <= body_bytes, "no more is taken than there is");
  }
  void on_end_sent(StreamId stream) override {
    require(!streams_[stream].end_sent, "an end is sent once");
    streams_[stream].end_sent = true;
  }

 private:
  struct Stream {
    std::size_t held = 0;
    std::size_t sent = 0;
    bool ended = false;
    bool closed = false;
    bool end_sent = false;
    bool malformed = false;
  };

  void begin(StreamId stream) {
    require(!streams_.contains(stream), "a stream begins once");
    streams_[stream];
  }

  static void check(const FieldList& fields, std::size_t most, std::size_t bytes_max) {
    require(fields.size() <= most, "no more fields than the limit");
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const auto field = fields[i];
      bytes += field.name.size() + field.value.size();
      for (const std::string_view text : {field.name, field.value}) {
        require(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
                "no field can break a line");
      }
      require(!field.name.empty() && field.name.front() != ':', "no pseudo-field among the fields");
    }
    require(bytes <= bytes_max, "no more octets than the limit");
  }

  void ask() {
    RequestHead head;
    head.method = "POST";
    head.target = "/";
    head.fields.add("host", "a.example");
    for (int i = 0; i < 3; ++i) {
      const auto stream = session_.request(head, {BodyLength::Kind::chunked, 0}, i > 0);
      if (stream) begin(*stream);
    }
  }

  // What an owner does between two pieces of input.
  void act() {
    require(!inside_, "nothing is submitted from within a callback");
    for (const StreamId stream : to_answer_) {
      ResponseHead head;
      head.status = 200;
      head.fields.add("x-a", "b");
      if (stream % 4 == 1) {
        session_.respond(stream, head, {BodyLength::Kind::chunked, 0}, true);
      } else {
        session_.reset(stream, http2_code::cancel);
      }
    }
    to_answer_.clear();
    for (auto& [id, on] : streams_) {
      if (on.held == 0 || id % 8 == 5) continue;  // one of them never takes anything
      if (on.closed) {
        session_.consumed_for_connection(on.held);
      } else {
        session_.consumed(id, on.held);
      }
      held_ -= on.held;
      on.held = 0;
    }
  }

  Http2Session::Role role_;
  Http2Limits limits_ = small_limits();
  std::map<StreamId, Stream> streams_;
  std::vector<StreamId> to_answer_;
  std::size_t held_ = 0;
  bool inside_ = false;
  std::string body_ = std::string(body_bytes, 'b');
  FieldList trailers_;
  Http2Session session_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.octet();
  const bool client = (choice & 1) != 0;
  const std::size_t piece_bytes_max = std::size_t{1} << (choice >> 1) % 12;
  Watcher watcher(client ? Http2Session::Role::client : Http2Session::Role::server);
  // Past the greetings, so that what is found lies behind them.
  const std::string_view settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string_view ack("\0\0\0\4\1\0\0\0\0", 9);
  if (!client) watcher.take("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  watcher.take(settings);
  if ((choice & 0x80) != 0) watcher.take(ack);
  fuzz::in_pieces(input.rest(), piece_bytes_max,
                  [&](std::string_view piece) { return watcher.take(piece); });
  return 0;
}
