// Writer slots: several gates append to one audit file, each with a chain of its own, told apart by
// field `w`. A slot is held by an exclusive open-file-description lock on byte (1<<62)+K of the
// file, which the kernel lets go however its holder ends. No byte is ever written there.
#pragma once

#include <cstdint>
#include <optional>

#include "proxy/audit/chain.h"

namespace egret {

inline constexpr unsigned writer_slots_max = 256;

// Takes `wanted` where it is free, else the lowest free slot. Where the kind of file cannot be
// locked (some FIFOs and devices) slot 0; nothing where all are held or the file system refuses,
// with errno.
std::optional<unsigned> take_slot(int fd, unsigned wanted, bool lock_needed);
// Whether some open file description holds the slot. From another description than the holder's.
bool slot_held(int fd, unsigned slot);

// Held around opening and around the undoing of a torn write, so that nobody becomes a second
// writer between the check that there is none and the ftruncate.
class OpeningLock {
 public:
  explicit OpeningLock(int fd, bool wait);
  ~OpeningLock();
  OpeningLock(const OpeningLock&) = delete;
  OpeningLock& operator=(const OpeningLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_;
};
// Whether any other description holds a slot. REQUIRES: the opening lock.
bool other_writers(int fd);

// The last whole record that `slot` wrote, found from the end backwards in blocks; the whole file
// where the slot never wrote.
std::optional<Chain> last_record(int fd, unsigned slot);

}  // namespace egret
