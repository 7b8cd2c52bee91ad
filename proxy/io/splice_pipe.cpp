#include "proxy/io/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

namespace egret {

SplicePipe::SplicePipe() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return;
  out_.reset(ends[0]);
  in_.reset(ends[1]);
}

}  // namespace egret
