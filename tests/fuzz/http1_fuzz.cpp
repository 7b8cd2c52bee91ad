// HTTP/1: a message that is accepted is written afresh and read again as the same message, and a
// body is the same whatever the pieces.
#include <string>

#include "proxy/wire/http1.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

struct Body {
  bool fault = false;
  bool finished = false;
  std::string data;
  std::string trailers;
};

Body read_body(BodyLength length, std::string_view wire, std::size_t piece_bytes_max) {
  Http1BodyDecoder decoder(length, {});
  Body body;
  const auto take = [&](std::string_view piece) {
    while (!piece.empty() && !decoder.finished()) {
      const auto step = decoder.next(piece);
      body.fault = !step.has_value();
      if (body.fault) return false;
      require(step->consumed > 0 && step->consumed <= piece.size(), "a decoder makes progress");
      body.data += step->data;
      piece.remove_prefix(step->consumed);
    }
    return !decoder.finished();
  };
  fuzz::in_pieces(wire, piece_bytes_max, take);
  body.finished = decoder.finished();
  if (body.finished) append_last_chunk(body.trailers, decoder.trailers());
  return body;
}

void check_body(BodyLength length, std::string_view wire, std::size_t piece_bytes_max) {
  const Body whole = read_body(length, wire, wire.size() + 1);
  const Body pieces = read_body(length, wire, piece_bytes_max);
  require(whole.fault == pieces.fault && whole.finished == pieces.finished, "a body ends alike");
  require(whole.data == pieces.data, "a body is the same whatever the pieces");
  require(whole.trailers == pieces.trailers, "its trailers too");
  if (!whole.finished || length.kind != BodyLength::Kind::chunked) return;
  std::string rebuilt;
  if (!whole.data.empty()) {
    append_chunk_start(rebuilt, whole.data.size());
    rebuilt += whole.data;
    append_chunk_end(rebuilt);
  }
  rebuilt += whole.trailers;
  const Body again = read_body(length, rebuilt, piece_bytes_max);
  require(again.finished && again.data == whole.data && again.trailers == whole.trailers,
          "a rebuilt body reads back as itself");
}

bool same_fields(const FieldList& a, const FieldList& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].value != b[i].value) return false;
  }
  return true;
}

void check_request(std::string_view head_text, std::string_view rest, std::size_t piece_bytes_max) {
  RequestHead head;
  if (!parse_request_head(head_text, {}, head)) return;
  const auto length = take_request_length(head);
  if (!length) return;
  if (!head.fields.has("host")) head.fields.add("host", "");
  std::string wire;
  append_request_head(wire, head, *length);
  std::size_t scanned = 0;
  require(find_head_end(wire, scanned) == wire.size(), "a rebuilt head is one head");
  RequestHead again;
  Http1Limits roomy;  // `name: value` may take an octet more than it came with
  roomy.field_bytes_max *= 2;
  roomy.head_bytes_max *= 2;
  require(parse_request_head(wire, roomy, again).has_value(), "a rebuilt request is accepted");
  const auto length_again = take_request_length(again);
  require(length_again.has_value(), "and its framing");
  require(length_again->bytes == length->bytes, "its length is the same");
  require(again.method == head.method && again.target == head.target && again.form == head.form,
          "a rebuilt request line is the same");
  require(same_fields(again.fields, head.fields), "rebuilt fields are the same");
  check_body(*length, rest, piece_bytes_max);
}

void check_response(std::string_view head_text, std::string_view rest,
                    std::size_t piece_bytes_max) {
  ResponseHead head;
  if (!parse_response_head(head_text, {}, head)) return;
  const auto length = take_response_length(head, "GET");
  if (!length) return;
  std::string wire;
  append_response_head(wire, head, *length, false);
  ResponseHead again;
  Http1Limits roomy;
  roomy.field_bytes_max *= 2;
  roomy.head_bytes_max *= 2;
  require(parse_response_head(wire, roomy, again).has_value(), "a rebuilt response is accepted");
  const auto length_again = take_response_length(again, "GET");
  require(length_again.has_value() && *length_again == *length, "and means the same length");
  require(again.status == head.status, "its status is the same");
  check_body(*length, rest, piece_bytes_max);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t piece_bytes_max = 1 + input.octet() % 16;
  const std::string_view text = input.rest();
  std::size_t scanned = 0;
  const auto end = find_head_end(text, scanned);
  std::size_t scanned_in_pieces = 0;
  for (std::size_t given = 0; given < text.size() && !end; ++given) {
    require(!find_head_end(text.substr(0, given), scanned_in_pieces), "no end where there is none");
  }
  check_body({BodyLength::Kind::chunked, 0}, text, piece_bytes_max);
  if (!end) return 0;
  check_request(text.substr(0, *end), text.substr(*end), piece_bytes_max);
  check_response(text.substr(0, *end), text.substr(*end), piece_bytes_max);
  return 0;
}
