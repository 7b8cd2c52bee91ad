#include "proxy/session/audit_scope.h"

#include <utility>

namespace egret {

AuditScope::AuditScope(Worker& worker, Sandbox& sandbox, const ConnectionFacts& connection,
                       const RequestHead& head)
    : worker_(worker),
      sandbox_(sandbox),
      connection_(connection),
      head_(head),
      id_(worker.new_id()),
      started_(std::chrono::steady_clock::now()) {
  sandbox_.counts().requests.fetch_add(1, std::memory_order_relaxed);
}

AuditScope::~AuditScope() {
  std::string body;
  if (state_ == State::allowed || state_ == State::allowing) {
    if (state_ == State::allowing)
      failed("stopped");  // torn down while the decision was being written
    end_.time = std::chrono::system_clock::now();
    end_.id = id_;
    end_.sandbox = sandbox_.name();
    end_.address = address_;
    end_.error = error_;
    end_.total_ms = ms_since_start();
    render(end_, body);
  } else if (state_ == State::open) {
    // The exchange was torn down before it was decided: that is a decision too.
    Admission none;
    RequestRecord record = request_record(none);
    record.decision = AuditDecision::deny;
    record.reason = Reason::internal;
    render(record, body);
  } else {
    return;
  }
  worker_.record_end(std::move(body));
}

double AuditScope::ms_since_start() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_)
      .count();
}

RequestRecord AuditScope::request_record(const Admission& admission) const {
  RequestRecord record;
  record.time = std::chrono::system_clock::now();
  record.id = id_;
  record.connection = connection_.id;
  record.sandbox = sandbox_.name();
  record.capture = connection_.capture;
  record.target = admission.target();
  record.method = head_.method;
  record.version = name(head_.version);
  if (admission.addressed) record.path = admission.addressed->path.path();
  record.alarm = admission.alarm;
  for (const PlannedUse& use : admission.secrets.uses)
    record.secrets.push_back({use.grant->name, use.in, use.count});
  return record;
}

Task<bool> AuditScope::deny(const Admission& admission, const Refusal& refusal) {
  sandbox_.counts().denials.fetch_add(1, std::memory_order_relaxed);
  RequestRecord record = request_record(admission);
  record.decision = AuditDecision::deny;
  record.reason = refusal.denial.reason;
  record.rule = refusal.denial.rule;
  record.status = refusal.status;
  record.secrets.clear();
  std::string body;
  render(record, body);
  state_ = State::denied;
  co_return co_await worker_.record(std::move(body));
}

Task<bool> AuditScope::allow(const Admission& admission, std::string_view address) {
  RequestRecord record = request_record(admission);
  record.decision = AuditDecision::allow;
  record.reason = Reason::rule;
  record.rule = admission.permit->rule();
  record.address = address;
  std::string body;
  render(record, body);
  state_ = State::allowing;
  const bool written = co_await worker_.record(std::move(body));
  state_ = written ? State::allowed : State::denied;
  co_return written;
}

void AuditScope::connected(std::string_view address) {
  address_ = address;
  end_.connect_ms = ms_since_start();
}

void AuditScope::used(const std::vector<PlannedUse>& uses) {
  for (const PlannedUse& use : uses)
    end_.secrets.push_back({use.grant->name, use.in, use.count});
}

void AuditScope::first_byte() {
  end_.first_byte_ms = ms_since_start();
}

}  // namespace egret
