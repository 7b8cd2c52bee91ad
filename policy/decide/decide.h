// The one decision. Pure and total: the same answer whatever way the request came in, the default
// arm denies, deny beats allow, and the order of rules does not matter (DESIGN part 6, ATTACKS A).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "policy/decide/policy.h"
#include "policy/decide/reason.h"
#include "policy/target/request_path.h"
#include "policy/target/target.h"

namespace egret {

// Why not, and what a person could write to change it. Holds canonical values only, never the bytes
// of a request.
struct Denial {
  Reason reason = Reason::internal;
  std::string rule;  // source of the deciding rule; empty where no rule matched
  std::string hint;  // one clear sentence: what to write in which file
};

// The only key that opens an origin connection. Made by decide() alone.
class Permit {
 public:
  const Target& target() const { return target_; }
  const std::string& rule() const { return rule_; }
  bool tunnel() const { return tunnel_; }
  // A rule names this very address or range, so its class is opened (metadata never is).
  bool address_named() const { return address_named_; }

 private:
  friend class Decision;
  Permit(Target target, const Rule& rule);
  Target target_;
  std::string rule_;
  bool tunnel_;
  bool address_named_;
};

using Verdict = std::variant<Permit, Denial>;

struct Ask {
  const Target& target;
  std::string_view method;  // as received, case-sensitive
  const RequestPath* path = nullptr;
};

// One HTTP request. TRACE, TRACK and CONNECT are never permitted. `tunnel` rules do not answer it.
Verdict decide(const Policy& policy, const Ask& ask);
// An opaque relay to this target: only `tunnel: true` rules answer it.
Verdict decide_tunnel(const Policy& policy, const Target& target);
// Before there is a request: the denial that every request to this target would get, or nothing
// where some request (or a tunnel) could be permitted. A refused name gets no query and no dial.
std::optional<Denial> refuse_early(const Policy& policy, const Target& target);

}  // namespace egret
