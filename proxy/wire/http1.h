// HTTP/1.x on the wire (RFC 9112): bytes to heads and body pieces, and back. Strict: what is
// ambiguous is refused, never repaired (ATTACKS D01-D24, part K1). No sockets, no coroutines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "proxy/wire/message.h"

namespace egret {

struct Http1Limits {
  std::size_t head_bytes_max = 32 * 1024;
  std::size_t fields_max = 100;
  std::size_t field_bytes_max = 8 * 1024;
  std::size_t target_bytes_max = 8 * 1024;
  std::size_t trailer_bytes_max = 8 * 1024;
  std::size_t chunk_extension_bytes_max = 256;         // a chunk
  std::size_t chunk_extensions_bytes_max = 16 * 1024;  // a message
};

// Where the head at the start of `buffer` ends (behind its empty line), or nothing yet. `scanned`
// remembers how far it looked; start it at 0 for each head. An empty line made of bare LFs, or one
// before anything else, ends a head too: the parser then refuses it at once.
std::optional<std::size_t> find_head_end(std::string_view buffer, std::size_t& scanned);
// What to answer where `buffer` has reached head_bytes_max without an end: 414 or 431.
WireFault head_too_large(std::string_view buffer, const Http1Limits& limits);

// `head` is exactly one head with its empty line. Fills `out` (cleared first).
// Refuses with 400 (or 431, 414, 501, 505): everything of K1's request table. A method is any token
// of up to 32 bytes: which ones there are is for policy. Every fault of a response is 502,
// upstream_framing; non-ASCII octets are left out of its reason phrase.
Result<void, WireFault> parse_request_head(std::string_view head, const Http1Limits& limits,
                                           RequestHead& out);
Result<void, WireFault> parse_response_head(std::string_view head, const Http1Limits& limits,
                                            ResponseHead& out);

// Methods for which a body means nothing: a counted one is passed on, one of unknown length is
// refused (ATTACKS D16).
bool expects_no_body(std::string_view method);
// From a parsed head; removes content-length and transfer-encoding from its fields: framing is ours
// from here on. A request without either has no body. Refused: a chunked body on GET, HEAD, DELETE,
// OPTIONS and TRACE, and any body on CONNECT (ATTACKS D15, D16).
Result<BodyLength, WireFault> take_request_length(RequestHead& head);
// `request_method` decides HEAD; 1xx, 204 and 304 have none whatever they say (but a nonzero
// content-length or any transfer-encoding on 1xx/204 is a fault).
// For HEAD and 304 the content-length field is kept as a plain field.
Result<BodyLength, WireFault> take_response_length(ResponseHead& head,
                                                   std::string_view request_method);

// Whether the connection stays open behind this message, from version and the Connection field.
bool keeps_alive(Version version, const FieldList& fields);

// Turns body bytes into body data, whatever the framing.
class Http1BodyDecoder {
 public:
  Http1BodyDecoder() = default;  // no body
  Http1BodyDecoder(BodyLength length, const Http1Limits& limits);

  struct Step {
    std::size_t consumed = 0;  // bytes of `in` that are done with
    std::string_view data;  // body data, a view into `in`; may be empty while framing is consumed
  };
  // Consumes at most one piece. Call again while `consumed` is not 0 and finished() is false. A
  // fault names the client's side (400); for an origin's body wrap it in origin_fault(). It stays.
  Result<Step, WireFault> next(std::string_view in);
  bool finished() const { return state_ == State::done; }
  // The peer has ended its stream: fine only for until_close (then finished), else truncated.
  bool end_of_stream();
  // Trailers of a chunked body, once finished; framing, routing and credential fields never among
  // them: they are a fault in requests and in responses.
  const FieldList& trailers() const { return trailers_; }

 private:
  enum class State : std::uint8_t {
    length,
    until_close,
    chunk_size,
    chunk_extension,
    chunk_size_end,
    chunk_data,
    chunk_end,
    chunk_end_lf,
    trailer,
    done,
    failed,
  };
  State state_ = State::done;
  std::uint8_t digits_ = 0;  // of the size being read
  std::uint8_t zeros_ = 0;   // leading ones among them
  std::uint64_t left_ = 0;   // data octets still to come
  std::size_t extensions_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string line_;  // an unfinished extension or trailer line
  const char* fault_ = "";
  Http1Limits limits_{};
  FieldList trailers_;
  Result<Step, WireFault> next_chunked(std::string_view in);
  std::string_view take_data(std::string_view in);
  // One octet that is no data; what is wrong with it, or null.
  const char* framing_octet(char c);
  const char* size_octet(char c);
  const char* extension_octet(char c);
  const char* trailer_octet(char c);
};

// Serialising, always as HTTP/1.1. The caller has removed hop-by-hop fields; these put on the
// framing. The fields hold no content-length (but on a response without a body, for HEAD and 304),
// no transfer-encoding, and in a request exactly one host, written where it stands. A field that
// would break the framing is the caller's error and aborts.
void append_request_head(std::string& out, const RequestHead& head, BodyLength length);
// `close`: say `connection: close`; always said for until_close. Chunks are for HTTP/1.1 clients
// only.
void append_response_head(std::string& out, const ResponseHead& head, BodyLength length,
                          bool close);
void append_chunk_start(std::string& out, std::size_t data_bytes);  // never called with 0
void append_chunk_end(std::string& out);
void append_last_chunk(std::string& out, const FieldList& trailers);

}  // namespace egret
