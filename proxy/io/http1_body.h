// Reads the body of one HTTP/1 message from its connection, piece by piece: the part that both
// sides of the gate do in the same way.
#pragma once

#include <chrono>
#include <utility>

#include "proxy/io/http.h"
#include "proxy/io/read_buffer.h"
#include "proxy/wire/http1.h"

namespace egret {

class Http1BodyReader {
 public:
  Http1BodyReader(Stream& stream, ReadBuffer& buffer) : stream_(stream), buffer_(buffer) {}

  void begin(BodyLength length, const Http1Limits& limits) {
    release();
    truncated_ = false;
    decoder_ = Http1BodyDecoder(length, limits);
  }
  // The piece handed out before is done with.
  void release() { buffer_.consume(std::exchange(taken_, 0)); }
  Task<Result<BodyPiece, BodyFault>> read(std::chrono::milliseconds limit);

  bool finished() const { return decoder_.finished(); }
  const FieldList& trailers() const { return decoder_.trailers(); }
  // A body that ends with the connection may have been cut: TLS did not say that it was whole.
  bool maybe_truncated() const { return truncated_; }
  // Nothing but the last piece is in the buffer.
  bool nothing_behind() const { return buffer_.view().size() == taken_; }

 private:
  Stream& stream_;
  ReadBuffer& buffer_;
  Http1BodyDecoder decoder_;
  std::size_t taken_ = 0;
  bool truncated_ = false;
};

}  // namespace egret
