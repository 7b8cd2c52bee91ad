// Host patterns as the configuration allows them: policy's strict form, and on top the system's
// public suffix list, so that no wildcard covers names that strangers can register (ATTACKS A04).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/schema/context.h"
#include "policy/decide/host_pattern.h"

namespace egret::schema {

enum class HostUse {
  allow,
  allow_dangerously,  // dangerous_allow_wildcard: true stands beside it
  deny,
  pin,     // origins.resolve: opens nothing by itself
  secret,  // names only, and never a wide wildcard
};

Result<HostPattern, PatternFault> parse_host(std::string_view text, HostUse use);
std::optional<HostPattern> read_host(Context& context, const Node& node, HostUse use);
// A pattern that needs dangerous_allow_wildcard.
bool is_wide(const HostPattern& pattern);
// Some host is matched by both.
bool overlap(const HostPattern& a, const HostPattern& b);

}  // namespace egret::schema
