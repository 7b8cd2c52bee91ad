// The audit log: one writer thread, one file, one hash chain per writer. A request record is on its
// way to the file before anything leaves: the caller waits for `accepted`. Ends are batched for at
// most 100 ms. Nothing is dropped: where the file cannot be written, request records are refused
// (the exchange answers 503), ends are kept, and writing resumes by itself (ATTACKS I01-I08).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "policy/result.h"
#include "proxy/audit/record.h"

namespace egret {

class AuditSystem;

struct AuditFault {
  std::string what;  // names the path and what to do
};

enum class Written : std::uint8_t { yes, no };

struct AuditCounters {
  std::uint64_t records = 0;  // written
  std::uint64_t refused = 0;  // request records that could not be written
  std::uint64_t lost = 0;     // ends and dns records that found no room in kept_bytes_max
  bool failing = false;       // right now
};

struct AuditOptions {
  std::chrono::milliseconds stall_max{2000};    // a decision waits at most so long
  std::chrono::milliseconds retry_every{100};   // a failing file; and how often a path is looked at
  std::chrono::milliseconds end_wait_max{100};  // an end waits at most so long for company
  std::chrono::milliseconds drain_max{2000};    // the destructor waits at most so long
  std::size_t kept_bytes_max = 64U << 20U;      // ends kept while the file cannot be written, and
                                                // once more while a write hangs
  AuditSystem* system = nullptr;                // borrowed, outlives the log; null: the real calls
};

// Thread rule: submit* from any thread; one buffer a producer lane, so that two workers never wait
// for each other. `done` runs once, on the writer thread or (where that hangs) on the watchdog's:
// it must only post to the caller's executor. Records of one caller keep their order.
//
// After `done(no)` the exchange must not go on, and nothing more may be submitted for its id:
// either the decision has no line and is counted in the `recovered` record, or its line went out
// after all when a stalled write came back, and then the log has closed it itself with an end whose
// error is `audit_unavailable`. So no exchange is ever both refused and open in the file.
class AuditLog {
 public:
  using Done = std::function<void(Written)>;

  // Opens (0600 where it is new, O_APPEND, O_NOFOLLOW, O_CLOEXEC), takes a free writer slot
  // (several gates may share one file; field `w` is the slot), finds that slot's last record and
  // continues its chain. A torn last line is left and closed with a newline.
  // Nothing is written before the first submit.
  static Result<std::unique_ptr<AuditLog>, AuditFault> open(const std::string& path, unsigned lanes,
                                                            const AuditOptions& options = {});
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;
  ~AuditLog();  // writes what is pending (at most drain_max), then closes

  // A decision. `body` is a rendered record. `done(yes)` once the line has been handed to the
  // kernel; `done(no)` where it could not be within `stall_max`.
  void submit(unsigned lane, std::string body, Done done);
  // An end, a dns or gate record: written within 100 ms, or kept until it can be.
  void submit_end(unsigned lane, std::string body);

  AuditCounters counters() const;

 private:
  struct State;
  explicit AuditLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace egret
