// The records of one exchange: a decision exactly once, and for an allowed one an end exactly once,
// on every path, also on cancel and throw (DESIGN part 1, invariant 7).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "proxy/audit/record.h"
#include "proxy/exchange/exchange.h"
#include "proxy/session/worker.h"

namespace egret {

// How a connection came to the gate; the same for all its exchanges.
struct ConnectionFacts {
  std::string id;
  Capture capture = Capture::forward;
  bool detached = false;  // its namespace is no longer ours to serve
};

class AuditScope {
 public:
  AuditScope(Worker& worker, Sandbox& sandbox, const ConnectionFacts& connection,
             const RequestHead& head);
  ~AuditScope();
  AuditScope(const AuditScope&) = delete;
  AuditScope& operator=(const AuditScope&) = delete;

  const std::string& id() const { return id_; }

  // Both true once the record is in the file. Where it is not, nothing may leave.
  Task<bool> deny(const Admission& admission, const Refusal& refusal);
  Task<bool> allow(const Admission& admission, std::string_view address);

  // This was no exchange after all (a CONNECT whose requests are recorded one by one).
  void dismiss() {
    state_ = State::denied;
    sandbox_.counts().requests.fetch_sub(1, std::memory_order_relaxed);
  }

  // What the end will say; filled in while the exchange goes on.
  void connected(std::string_view address);
  void first_byte();
  void answered(int status) { end_.status = status; }
  void failed(std::string_view error) {
    if (error_.empty()) error_ = error;
  }
  // Secrets that were put into the body, known only when it has passed.
  void used(const std::vector<PlannedUse>& uses);
  ResponseRecord& end() { return end_; }

 private:
  enum class State { open, denied, allowed, allowing };
  double ms_since_start() const;
  RequestRecord request_record(const Admission& admission) const;

  Worker& worker_;
  Sandbox& sandbox_;
  const ConnectionFacts& connection_;
  const RequestHead& head_;
  std::string id_;
  std::string address_;
  std::string error_;
  std::chrono::steady_clock::time_point started_;
  ResponseRecord end_;
  State state_ = State::open;
};

}  // namespace egret
