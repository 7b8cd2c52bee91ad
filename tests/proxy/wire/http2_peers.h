// Two HTTP/2 sessions that talk to each other in memory, or one that is told raw frames. What
// happens is kept as lines, so that runs over different pieces can be compared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/wire/http2.h"

namespace egret::http2_test {

struct Side final : Http2Events {
  struct Body {
    std::string left;  // to be sent
    bool end = true;
    FieldList trailers;
  };

  explicit Side(Http2Session::Role role, const Http2Limits& limits = {})
      : session(role, limits, *this) {}

  static std::string text(const FieldList& fields) {
    std::string out;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const auto field = fields[i];
      out.append(" ").append(field.name).append("=").append(field.value);
    }
    return out;
  }
  void say(StreamId stream, const std::string& what) {
    log.push_back(std::to_string(stream) + ' ' + what);
  }

  void on_request(StreamId stream, Http2Request request) override {
    say(stream, request.head.method + ' ' + request.head.target + text(request.head.fields));
    requests.push_back(std::move(request));
  }
  void on_malformed(StreamId stream, Http2Request, const WireFault& fault) override {
    say(stream, "malformed " + std::to_string(fault.status));
    faults.push_back(fault);
  }
  void on_response(StreamId stream, ResponseHead head) override {
    say(stream, std::to_string(head.status) + text(head.fields));
  }
  void on_data(StreamId stream, std::string_view data) override { received[stream] += data; }
  void on_end(StreamId stream, FieldList trailers) override {
    say(stream, "end after " + std::to_string(received[stream].size()) + text(trailers));
  }
  void on_closed(StreamId stream, std::uint32_t code) override {
    say(stream, "closed " + std::to_string(code));
  }
  Http2Outgoing outgoing(StreamId stream) override {
    const Body& body = bodies[stream];
    return {body.left, body.end, &body.trailers};
  }
  void taken(StreamId stream, std::size_t bytes) override { bodies[stream].left.erase(0, bytes); }
  void on_end_sent(StreamId stream) override { say(stream, "end sent"); }

  std::string collected(std::size_t bytes_max = 1 << 20) {
    std::string out;
    session.collect(out, bytes_max);
    return out;
  }
  bool said(const std::string& line) const {
    return std::find(log.begin(), log.end(), line) != log.end();
  }

  std::vector<std::string> log;
  std::vector<Http2Request> requests;
  std::vector<WireFault> faults;
  std::map<StreamId, std::string> received;
  std::map<StreamId, Body> bodies;
  Http2Session session;
};

inline void receive_in_pieces(Side& to, std::string_view bytes, std::size_t piece_bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += piece_bytes)
    static_cast<void>(to.session.receive(bytes.substr(at, piece_bytes), {}));
}

// Until neither has anything to say.
inline void talk(Side& a, Side& b, std::size_t piece_bytes = 1 << 20) {
  while (true) {
    const std::string from_a = a.collected(piece_bytes);
    receive_in_pieces(b, from_a, piece_bytes);
    const std::string from_b = b.collected(piece_bytes);
    receive_in_pieces(a, from_b, piece_bytes);
    if (from_a.empty() && from_b.empty()) return;
  }
}

// --- raw frames

inline std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
  const auto octet = [](std::size_t value) { return static_cast<char>(value & 0xff); };
  const std::size_t bytes = payload.size();
  std::string out = {octet(bytes >> 16), octet(bytes >> 8), octet(bytes)};
  out += {static_cast<char>(type), static_cast<char>(flags)};
  out += {octet(stream >> 24), octet(stream >> 16), octet(stream >> 8), octet(stream)};
  return out.append(payload);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// Literal fields without indexing, their octets as they are; none is 127 octets or longer.
inline std::string block(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    out.append(1, static_cast<char>(name.size())).append(name);
    out.append(1, static_cast<char>(value.size())).append(value);
  }
  return out;
}

inline Fields get(const Fields& more = {}) {
  Fields fields = {
      {":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

inline constexpr int end_stream = 1, end_headers = 4, ack = 1;
inline const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");

inline std::string head_frame(std::uint32_t stream, const Fields& fields,
                              int flags = end_stream | end_headers) {
  return frame(1, flags, stream, block(fields));
}

// The error code of the GOAWAY among these frames, or -1.
inline int goaway_code(std::string_view frames) {
  int code = -1;
  while (frames.size() >= 9) {
    const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(frames[at]); };
    const std::size_t bytes =
        9 + (std::size_t{octet(0)} << 16 | std::size_t{octet(1)} << 8 | std::size_t{octet(2)});
    if (octet(3) == 7 && frames.size() >= 17) code = octet(16);
    frames.remove_prefix(std::min(bytes, frames.size()));
  }
  return code;
}

}  // namespace egret::http2_test
