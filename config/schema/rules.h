// `rules:` of a profile or a sandbox.
#pragma once

#include <vector>

#include "config/schema/context.h"
#include "policy/decide/rule.h"

namespace egret::schema {

// An empty list is fine: no rule, nothing allowed.
std::vector<Rule> read_rules(Context& context, const Node& node);

}  // namespace egret::schema
