// The pipe that splice(2) needs between two sockets, for one direction of a relay.
#pragma once

#include <cstddef>

namespace egret {

class SplicePipe {
 public:
  static constexpr std::size_t bytes_max = 64 * 1024;

  SplicePipe();
  ~SplicePipe();
  SplicePipe(const SplicePipe&) = delete;
  SplicePipe& operator=(const SplicePipe&) = delete;

  // False where there was no descriptor left: relay through a buffer then.
  bool is_open() const { return in_ >= 0; }
  int in() const { return in_; }    // written to
  int out() const { return out_; }  // read from

 private:
  int in_ = -1;
  int out_ = -1;
};

}  // namespace egret
