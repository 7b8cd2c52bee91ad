#include "proxy/io/read_buffer.h"

#include <cstring>

namespace egret {

void ReadBuffer::consume(std::size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) begin_ = end_ = 0;
}

void ReadBuffer::release_if_empty() {
  if (!empty()) return;
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

void ReadBuffer::make_room() {
  if (end_ < capacity_) return;
  const std::size_t held = end_ - begin_;
  if (begin_ > 0 && held < capacity_ / 2) {
    std::memmove(data_.get(), data_.get() + begin_, held);
  } else {
    const std::size_t larger = capacity_ == 0 ? bytes_first : std::min(bytes_max, capacity_ * 4);
    auto data = std::make_unique_for_overwrite<char[]>(larger);
    if (held > 0) std::memcpy(data.get(), data_.get() + begin_, held);
    data_ = std::move(data);
    capacity_ = larger;
  }
  begin_ = 0;
  end_ = held;
}

Task<StreamError> ReadBuffer::fill(Stream& stream) {
  make_room();
  if (end_ == capacity_)
    co_return StreamError::failed;  // full: the caller has checked its limit first
  const ReadResult got = co_await stream.read_some({data_.get() + end_, capacity_ - end_});
  end_ += got.bytes;
  co_return got.error;
}

}  // namespace egret
