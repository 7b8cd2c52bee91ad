// The audit log: one writer thread, one file, one hash chain per writer. A request record is on its
// way to the file before anything leaves: the caller waits for `accepted`. Ends are batched for at
// most 100 ms. Nothing is dropped: where the file cannot be written, request records are refused (the
// exchange answers 503), ends are kept, and writing resumes by itself (ATTACKS I01-I08).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "policy/result.h"
#include "proxy/audit/record.h"

namespace egret {

struct AuditFault {
  std::string what;  // names the path and what to do
};

enum class Written : std::uint8_t { yes, no };

struct AuditCounters {
  std::uint64_t records = 0;   // written
  std::uint64_t refused = 0;   // request records that could not be written
  bool failing = false;        // right now
};

// Thread rule: submit* from any thread; one buffer a producer lane, so that two workers never wait
// for each other. `done` runs on the writer thread: it must only post to the caller's executor.
class AuditLog {
 public:
  using Done = std::function<void(Written)>;

  // Opens (0640 → 0600 where it is new, O_APPEND, O_NOFOLLOW, O_CLOEXEC), takes a free writer slot
  // (several gates may share one file; field `w` is the slot), finds that slot's last record and
  // continues its chain. A torn last line is left and closed with a newline.
  static Result<std::unique_ptr<AuditLog>, AuditFault> open(const std::string& path, unsigned lanes);
  ~AuditLog();  // writes what is pending, then closes

  // A decision. `body` is a rendered record. `done(yes)` once the line has been handed to the kernel;
  // `done(no)` where it could not be within `stall_max` (2 s): the line is then not in the file.
  void submit(unsigned lane, std::string body, Done done);
  // An end, a dns or gate record: written within 100 ms, or kept until it can be.
  void submit_end(unsigned lane, std::string body);

  AuditCounters counters() const;
  // The file was replaced or removed (log rotation): opened again by the writer.
  void reopen();

 private:
  AuditLog();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace egret
