#include "proxy/io/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

namespace egret {

SplicePipe::SplicePipe() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return;
  out_ = ends[0];
  in_ = ends[1];
}

SplicePipe::~SplicePipe() {
  if (in_ < 0) return;
  ::close(in_);
  ::close(out_);
}

}  // namespace egret
