// The sentence that tells a person what to write, and where, to change a denial. It holds canonical
// values only: never a path, a header or a method that is not a well-known one.
#pragma once

#include <string>
#include <string_view>

#include "policy/decide/reason.h"
#include "policy/decide/rule_match.h"

namespace egret {

// `rule`: the source of the nearest allow rule, or empty.
std::string hint_for(Reason reason, const Question& question, std::string_view rule);
std::string hint_for_deny(const Rule& rule);

}  // namespace egret
