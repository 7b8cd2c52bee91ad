// Reading an audit file: `egret audit show|tail|summary|verify`. Tolerates one torn last line.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "policy/result.h"
#include "proxy/audit/log.h"

namespace egret {

struct AuditQuery {
  std::string file;
  std::optional<std::string> sandbox;
  std::optional<std::string> since;  // RFC 3339, `10m`, `2h`, `3d`
  bool denied = false;
  bool json = false;
  bool colour = false;  // the caller knows whether it is a terminal
};

// Joins the two halves of an exchange into one line a person can read, or prints matching records
// as they are with json.
Result<std::size_t, AuditFault> audit_show(const AuditQuery& query, std::ostream& out);
// The last lines, then follows the file until `stop` says so (polled every 200 ms).
Result<std::size_t, AuditFault> audit_tail(const AuditQuery& query, std::ostream& out,
                                           const std::function<bool()>& stop);
// Counts by sandbox, decision, reason, host; bytes; secrets used.
Result<std::size_t, AuditFault> audit_summary(const AuditQuery& query, std::ostream& out);

struct VerifyReport {
  bool intact = true;  // every chain holds
  std::size_t records = 0;
  std::string text;  // for people: each chain, each cut (a gate that stopped without a stop
                     // record), each break with its line
  std::string json;
};
Result<VerifyReport, AuditFault> audit_verify(const AuditQuery& query);

}  // namespace egret
