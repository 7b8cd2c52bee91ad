#include "proxy/secrets/random.h"

#include <cerrno>
#include <cstdlib>
#include <sys/random.h>
#include <sys/types.h>

namespace egret {

RandomSource system_random() {
  return [](std::span<unsigned char> out) {
    while (!out.empty()) {
      const ssize_t got = ::getrandom(out.data(), out.size(), 0);
      if (got > 0) {
        out = out.subspan(static_cast<std::size_t>(got));
      } else if (errno != EINTR) {
        std::abort();  // a guessable placeholder is worse than no gate
      }
    }
  };
}

}  // namespace egret
