#include "sandbox-glue/namespace/memory_file.h"

#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

namespace egret {

Result<UniqueFd, SetupFault> make_memory_file(const char* name, std::string_view content) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) return system_fault("cannot create a memory file", errno);
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t n = ::pwrite(file.get(), content.data() + written, content.size() - written,
                               static_cast<off_t>(written));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_fault("cannot fill a memory file", errno);
    written += static_cast<std::size_t>(n);
  }
  return file;
}

std::string read_memory_file(const UniqueFd& file, std::size_t bytes_max) {
  std::string content(bytes_max, '\0');
  std::size_t length = 0;
  while (length < bytes_max) {
    const ssize_t n = ::pread(file.get(), content.data() + length, bytes_max - length,
                              static_cast<off_t>(length));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    length += static_cast<std::size_t>(n);
  }
  content.resize(length);
  return content;
}

}  // namespace egret
