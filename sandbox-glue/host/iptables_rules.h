// The same rules (host_rules.h) for hosts without nftables: the input of `iptables-legacy-restore
// --noflush --counters`, which replaces one table of one family in one step.
//
// Of three tables in two families no step covers all, so the order does: refusals are loaded first
// and removed last, and nothing of the user's leaves in between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox-glue/host/host_rules.h"

namespace egret {

enum class Family : std::uint8_t { v4, v6 };
// In the order in which they are loaded.
enum class IptablesTable : std::uint8_t { mangle, filter, nat };
constexpr IptablesTable iptables_tables[] = {IptablesTable::mangle, IptablesTable::filter,
                                             IptablesTable::nat};
const char* name(IptablesTable table);

// `saved`: what `iptables-legacy-save --counters --table T` says now. Its lines that lead to this
// user's chains are taken out, and what they counted is kept.
std::string render_iptables(const HostRules& rules, Family family, IptablesTable table,
                            std::string_view saved);

// Empty where `saved` has nothing of this user.
std::string render_iptables_removal(std::uint32_t uid, IptablesTable table, std::string_view saved);

// The users whose chains are in `saved`, each once.
std::vector<std::uint32_t> read_iptables_users(std::string_view saved);
// What `iptables-legacy-save --counters` says of one family's tables.
struct SavedTables {
  std::string mangle;
  std::string filter;
  std::string nat;
};
// What they counted; nothing where the user has no chain in one of them.
std::optional<HostCounts> read_iptables_counts(std::uint32_t uid, const SavedTables& saved);

}  // namespace egret
