// The system calls that change an audit file, so that a test can make the n-th of them fail or
// hang. Each behaves and sets errno as the call it is named after.
#pragma once

#include <cstddef>
#include <sys/types.h>

namespace egret {

class AuditSystem {
 public:
  AuditSystem() = default;
  AuditSystem(const AuditSystem&) = delete;
  AuditSystem& operator=(const AuditSystem&) = delete;
  virtual ~AuditSystem() = default;

  virtual int open(const char* path, int flags, mode_t mode);
  virtual ssize_t write(int fd, const char* data, std::size_t size);
  virtual int truncate(int fd, off_t size);
};

}  // namespace egret
