#include "proxy/io/http1_body.h"

namespace egret {

Task<Result<BodyPiece, BodyFault>> Http1BodyReader::read(std::chrono::milliseconds limit) {
  release();
  while (!decoder_.finished()) {
    if (!buffer_.empty()) {
      const auto step = decoder_.next(buffer_.view());
      if (!step) co_return BodyFault{StreamError::none, step.error()};
      if (!step->data.empty()) {
        taken_ = step->consumed;
        co_return BodyPiece{step->data, decoder_.finished()};
      }
      buffer_.consume(step->consumed);
      if (step->consumed > 0) continue;
    }
    stream_.limit(limit);
    const StreamError error = co_await buffer_.fill(stream_);
    // TLS that ends without close_notify ends such a body too, as many origins do; it is marked
    // (C15).
    const bool ended = error == StreamError::end || error == StreamError::truncated;
    if (ended && decoder_.end_of_stream()) {
      truncated_ = error == StreamError::truncated;
      break;
    }
    if (error != StreamError::none) co_return BodyFault{error, std::nullopt};
  }
  co_return BodyPiece{{}, true};
}

}  // namespace egret
