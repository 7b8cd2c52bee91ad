// Records on their way to the writer: a buffer with a lock of its own for each producer lane, and
// one flag with which producers wake the writer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "policy/unique_fd.h"
#include "proxy/audit/log.h"

namespace egret {

using AuditClock = std::chrono::steady_clock;

enum class EntryKind : std::uint8_t { decision, end, report };

struct Entry {
  std::string body;
  AuditLog::Done done;  // decisions only, until it is called
  AuditClock::time_point submitted;
  EntryKind kind = EntryKind::end;
  std::uint64_t reported = 0;  // report: refused decisions that it tells of
};

// Wakes one thread that waits with a deadline. Any thread may wake it; wakes add up to one.
class Wakeup {
 public:
  Wakeup();
  void wake();
  // Until woken or the deadline has passed; without one, until woken.
  void wait(std::optional<AuditClock::time_point> deadline);

 private:
  UniqueFd fd_;
};

class Lanes {
 public:
  explicit Lanes(unsigned count) : lanes_(count == 0 ? 1 : count) {}
  std::size_t count() const { return lanes_.size(); }

  void push(unsigned lane, Entry entry);
  // Unless more than `bytes_max` of such entries would wait in the lane: nobody takes them while a
  // write hangs.
  bool push_within(std::size_t bytes_max, unsigned lane, Entry entry);
  // Everything, over all lanes at one moment and in the order of submission: what was pushed before
  // something taken is taken too.
  std::vector<Entry> take_all();
  // Decisions that waited since `submitted_before`, leaving the others where they are.
  std::vector<Entry> take_decisions(AuditClock::time_point submitted_before);

 private:
  struct alignas(64) Lane {
    std::mutex mutex;
    std::vector<Entry> entries;
    std::size_t bounded_bytes = 0;  // of entries from push_within()
  };
  std::vector<Lane> lanes_;
};

}  // namespace egret
