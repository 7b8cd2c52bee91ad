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
    if (error == StreamError::end && decoder_.end_of_stream()) break;
    if (error != StreamError::none) co_return BodyFault{error, std::nullopt};
  }
  co_return BodyPiece{{}, true};
}

}  // namespace egret
