// The writer thread's work and the watchdog's (proxy/audit/log.h says what they promise).
//
// The writer takes everything that waits, renders it as one text, appends it with one write(2) and
// tells each decision's caller. A decision that cannot be written is refused and its line
// forgotten; an end that cannot be written is kept, in order. The watchdog only looks at the time:
// where a decision has waited too long, because a write hangs, it tells its caller no.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/audit/chain.h"
#include "proxy/audit/file.h"
#include "proxy/audit/lanes.h"
#include "proxy/audit/log.h"

namespace egret {

class AuditWriter {
 public:
  AuditWriter(AuditFile file, unsigned lanes, const AuditOptions& options);

  // From any thread.
  void submit(unsigned lane, std::string body, AuditLog::Done done);
  void submit_end(unsigned lane, std::string body);
  void stop();        // run() returns once all is written, or drain_max has passed
  void stop_watch();  // watch() refuses what still waits and returns
  AuditCounters counters() const;

  void run();    // on the writer thread
  void watch();  // on the watchdog's thread

 private:
  using Time = AuditClock::time_point;
  enum Signal : unsigned { decision_waits = 1, end_waits = 2 };

  // --- writer thread
  void wait_for_work();
  void work();
  bool drained(Time now) const;
  bool file_ready(Time now);
  void assemble(std::vector<Entry> fresh, Time now);
  std::string render_flight(std::vector<std::size_t>& line_ends);
  void settle(const AuditFile::Appended& appended, const Chain& before, std::string_view text,
              const std::vector<std::size_t>& line_ends);
  void keep_waiting(std::vector<Entry> fresh);
  void keep(Entry entry);
  void refuse(std::vector<Entry> decisions);
  void signal(Signal what);

  AuditOptions options_;
  Lanes lanes_;
  Wakeup writer_wakeup_;
  std::atomic<unsigned> signals_{0};
  std::atomic<bool> stopping_{false};

  // Writer thread only.
  AuditFile file_;
  Chain chain_;
  std::vector<Entry> kept_;
  std::size_t kept_bytes_ = 0;
  std::optional<Time> ends_due_;
  Time next_try_{};
  Time next_look_{};
  std::optional<Time> stop_deadline_;
  std::string text_;

  // What is being written; the watchdog may take the `done` of its decisions.
  std::mutex flight_mutex_;
  std::vector<Entry> flight_;
  std::optional<Time> busy_since_;

  Wakeup watch_wakeup_;
  std::atomic<bool> watch_dormant_{false};
  std::atomic<bool> watch_stopping_{false};
  std::atomic<bool> stalled_{false};

  std::atomic<std::uint64_t> records_{0}, refused_{0}, lost_{0};
  std::atomic<std::uint64_t> unreported_{0};  // refused since the last `recovered` record
  std::atomic<bool> failing_{false};
};

}  // namespace egret
