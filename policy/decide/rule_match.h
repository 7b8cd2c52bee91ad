// Whether one rule, whose host pattern matches, answers one question. Doubt is settled for denying:
// a deny rule matches what it may mean, an allow rule only what it says.
#pragma once

#include <optional>
#include <string_view>

#include "policy/decide/reason.h"
#include "policy/decide/rule.h"
#include "policy/target/request_path.h"
#include "policy/target/target.h"

namespace egret {

struct Question {
  enum class Kind {
    request,      // this method and this path
    any_request,  // is there a request that could be permitted?
    tunnel,       // an opaque relay
  };
  const Target& target;
  Kind kind;
  std::string_view method;
  const RequestPath* path;  // null: any path, not known yet
};

// TRACE, TRACK and CONNECT, in any case (ATTACKS A17, D21).
bool is_never_permitted(std::string_view method);

// What an allow rule misses; nothing where it permits. host_not_allowed: the rule does not speak of
// this host after all.
std::optional<Reason> miss_of(const Rule& rule, const Question& question);

// A deny rule without ports, methods or paths denies every one of them.
bool denies(const Rule& rule, const Question& question);
// The narrowest thing that the deny rule names.
Reason reason_of_deny(const Rule& rule, const Question& question);

}  // namespace egret
