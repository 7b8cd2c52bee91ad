#include "certs/read_to_end.h"

#include <cerrno>
#include <unistd.h>

namespace egret {

ReadEnd read_to_end(int descriptor, std::size_t bytes_max, std::string& bytes) {
  for (;;) {
    // All the room at once: growing would leave copies of a secret behind.
    const std::size_t size = bytes.size();
    bytes.resize(bytes_max + 1);
    const ssize_t got = ::read(descriptor, bytes.data() + size, bytes.size() - size);
    const int error = errno;
    bytes.resize(got > 0 ? size + static_cast<std::size_t>(got) : size);
    if (bytes.size() > bytes_max) return ReadEnd::too_long;
    if (got == 0) return ReadEnd::end_of_file;
    if (got > 0 || error == EINTR) continue;
    return error == EAGAIN ? ReadEnd::would_block : ReadEnd::failed;
  }
}

}  // namespace egret
