// The watchdog's half of AuditWriter: it never touches the file, so a hanging disk cannot hang it.
#include <utility>

#include "proxy/audit/writer.h"

namespace egret {

void AuditWriter::stop_watch() {
  watch_stopping_ = true;
  watch_wakeup_.wake();
}

void AuditWriter::watch() {
  const auto tick = options_.stall_max / 8 + std::chrono::milliseconds(1);
  for (;;) {
    const bool stopping = watch_stopping_;
    const Time now = AuditClock::now();
    std::vector<Entry> overdue;
    bool busy = false;
    {
      const std::lock_guard lock(flight_mutex_);
      busy = busy_since_.has_value();
      stalled_ = busy && (stopping || now - *busy_since_ >= options_.stall_max);
      for (Entry& entry : flight_) {
        if (entry.kind != EntryKind::decision || !entry.done) continue;
        if (!stalled_ && now - entry.submitted < options_.stall_max) continue;
        Entry& taken = overdue.emplace_back();
        taken.done = std::exchange(entry.done, nullptr);
      }
    }
    // While the writer hangs, new decisions are refused at once. Those taken here get no line.
    if (busy) {
      auto waiting = lanes_.take_decisions(stalled_ ? Time::max() : now - options_.stall_max);
      for (Entry& entry : waiting)
        overdue.push_back(std::move(entry));
    }
    refuse(std::move(overdue));
    if (stopping) return;
    // Asleep until there is a write to watch.
    if (!busy && watch_dormant_.exchange(true)) {
      watch_wakeup_.wait(std::nullopt);
    } else {
      watch_wakeup_.wait(now + tick);
    }
  }
}

}  // namespace egret
