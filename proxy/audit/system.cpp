#include "proxy/audit/system.h"

#include <fcntl.h>
#include <unistd.h>

namespace egret {

int AuditSystem::open(const char* path, int flags, mode_t mode) {
  return ::open(path, flags, mode);  // NOLINT(cppcoreguidelines-pro-type-vararg): the call itself
}

ssize_t AuditSystem::write(int fd, const char* data, std::size_t size) {
  return ::write(fd, data, size);
}

int AuditSystem::truncate(int fd, off_t size) {
  return ::ftruncate(fd, size);
}

}  // namespace egret
