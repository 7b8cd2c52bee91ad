#include "proxy/audit/slot.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace egret {
namespace {

constexpr off_t slots_begin = off_t{1} << 62U;
constexpr off_t opening_byte = slots_begin - 1;
constexpr std::size_t block_bytes = 64 * 1024;

struct flock byte_lock(short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

int lock_call(int fd, int command, struct flock& lock) {
  int result = -1;
  do {
    result = ::fcntl(fd, command, &lock);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  } while (result < 0 && errno == EINTR);
  return result;
}

bool try_lock(int fd, off_t byte) {
  struct flock lock = byte_lock(F_WRLCK, byte, 1);
  return lock_call(fd, F_OFD_SETLK, lock) == 0;
}

bool held_by_other(int fd, off_t start, off_t length) {
  struct flock lock = byte_lock(F_WRLCK, start, length);
  return lock_call(fd, F_OFD_GETLK, lock) < 0 || lock.l_type != F_UNLCK;
}

std::optional<Chain> record_of(std::string_view line, unsigned slot) {
  for (const LineHead& head : line_parts(line).records) {
    if (head.slot == slot) return Chain(head.seq, head.text);
  }
  return std::nullopt;
}

}  // namespace

std::optional<unsigned> take_slot(int fd, unsigned wanted, bool lock_needed) {
  if (try_lock(fd, slots_begin + wanted)) return wanted;
  for (unsigned slot = 0; slot < writer_slots_max; ++slot) {
    if (try_lock(fd, slots_begin + slot)) return slot;
    if (errno != EAGAIN && errno != EACCES) {
      return lock_needed ? std::nullopt : std::optional<unsigned>(0);
    }
  }
  return std::nullopt;
}

bool slot_held(int fd, unsigned slot) {
  return held_by_other(fd, slots_begin + slot, 1);
}

bool other_writers(int fd) {
  return held_by_other(fd, slots_begin, writer_slots_max);
}

OpeningLock::OpeningLock(int fd, bool wait) : fd_(fd) {
  struct flock lock = byte_lock(F_WRLCK, opening_byte, 1);
  held_ = lock_call(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, lock) == 0;
}

OpeningLock::~OpeningLock() {
  struct flock lock = byte_lock(F_UNLCK, opening_byte, 1);
  if (held_) lock_call(fd_, F_OFD_SETLK, lock);
}

std::optional<Chain> last_record(int fd, unsigned slot) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  off_t offset = status.st_size;
  std::string tail;  // from `offset` on, its first bytes not yet known to begin a line
  std::string block;
  while (offset > 0) {
    const auto size = static_cast<std::size_t>(std::min<off_t>(block_bytes, offset));
    block.resize(size);
    offset -= static_cast<off_t>(size);
    const ssize_t got = ::pread(fd, block.data(), size, offset);
    if (got != static_cast<ssize_t>(size)) return std::nullopt;
    tail.insert(0, block);
    for (auto end = tail.rfind('\n'); end != std::string::npos; end = tail.rfind('\n')) {
      if (auto found = record_of(std::string_view(tail).substr(end + 1), slot)) return found;
      tail.resize(end);
    }
    // Longer than any record: only how it ends still matters.
    if (tail.size() > block_bytes) tail.erase(0, tail.size() - 128);
  }
  return record_of(tail, slot);
}

}  // namespace egret
