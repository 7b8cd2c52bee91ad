// Bytes read from a stream and not yet taken. Allocated when there is data, given back when empty;
// at most `bytes_max`, which is the bound of what is buffered in one direction.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "proxy/io/stream.h"

namespace egret {

class ReadBuffer {
 public:
  static constexpr std::size_t bytes_first = 16 * 1024;
  static constexpr std::size_t bytes_max = 64 * 1024;

  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  bool full() const { return begin_ == 0 && end_ == bytes_max; }
  void consume(std::size_t bytes);
  // Reads more behind what is there. Views handed out before are no longer valid.
  Task<StreamError> fill(Stream& stream);
  // Gives the memory back if nothing is in it.
  void release_if_empty();

 private:
  void make_room();
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace egret
