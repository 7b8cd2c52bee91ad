// The pipe that splice(2) needs between two sockets, for one direction of a relay.
#pragma once

#include <cstddef>

#include "policy/unique_fd.h"

namespace egret {

class SplicePipe {
 public:
  static constexpr std::size_t bytes_max = 64 * 1024;

  SplicePipe();

  // False where there was no descriptor left: relay through a buffer then.
  bool is_open() const { return static_cast<bool>(in_); }
  int in() const { return in_.get(); }    // written to
  int out() const { return out_.get(); }  // read from

 private:
  UniqueFd in_;
  UniqueFd out_;
};

}  // namespace egret
