#include "sandbox-glue/host/iptables_firewall.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include "policy/unique_fd.h"
#include "sandbox-glue/host/iptables_rules.h"
#include "sandbox-glue/namespace/loopback.h"
#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

struct FamilyTools {
  Family family;
  std::string save;
  std::string restore;
};

Result<std::vector<FamilyTools>, SetupFault> find_family_tools() {
  std::vector<FamilyTools> all;
  for (const Family family : {Family::v4, Family::v6}) {
    if (family == Family::v6 && !kernel_has_ipv6()) continue;
    const std::string prefix = family == Family::v4 ? "iptables" : "ip6tables";
    auto save = find_tool(prefix + "-legacy-save", "iptables");
    if (!save) return save.error();
    auto restore = find_tool(prefix + "-legacy-restore", "iptables");
    if (!restore) return restore.error();
    all.push_back({family, std::move(*save), std::move(*restore)});
  }
  return all;
}

// Reading a table makes the kernel load it. A machine without it has no rules in it.
bool kernel_uses(Family family, IptablesTable table) {
  const UniqueFd file(::open(
      family == Family::v4 ? "/proc/self/net/ip_tables_names" : "/proc/self/net/ip6_tables_names",
      O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  char names[256];
  const ssize_t got = ::read(file.get(), names, sizeof names);
  const std::string_view text(names, got > 0 ? static_cast<std::size_t>(got) : 0);
  return text.find(std::string(name(table)) + "\n") != std::string_view::npos;
}

Result<std::string, SetupFault> saved(const FamilyTools& tools, IptablesTable table) {
  return read_tool({tools.save, "--counters", "--table", name(table)});
}

Result<void, SetupFault> restore(const FamilyTools& tools, const std::string& rules) {
  return run_tool({tools.restore, "--noflush", "--counters", "--wait", "10"}, rules);
}

std::string modules_of(IptablesTable table) {
  switch (table) {
    case IptablesTable::mangle:
      return "modprobe iptable_mangle ip6table_mangle xt_owner";
    case IptablesTable::filter:
      return "modprobe iptable_filter ip6table_filter xt_owner xt_conntrack ipt_REJECT ip6t_REJECT";
    case IptablesTable::nat:
      break;
  }
  return "modprobe iptable_nat ip6table_nat xt_owner xt_REDIRECT";
}

// Why a kernel refuses depends on the table.
SetupFault explained(SetupFault fault, IptablesTable table) {
  fault.what = "cannot load the user's iptables rules: " + fault.what;
  fault.remedy = modules_of(table) + " (kernel support)";
  return fault;
}

Result<void, SetupFault> load(const FamilyTools& tools, IptablesTable table,
                              const HostRules& rules) {
  auto now = saved(tools, table);
  if (!now) return explained(now.error(), table);
  auto loaded = restore(tools, render_iptables(rules, tools.family, table, *now));
  if (!loaded) return explained(loaded.error(), table);
  return {};
}

bool is_among(const std::vector<HostCounts>& counts, std::uint32_t uid) {
  return std::any_of(counts.begin(), counts.end(),
                     [uid](const HostCounts& one) { return one.uid == uid; });
}

}  // namespace

Result<bool, SetupFault> apply_iptables(const HostRules& rules) {
  auto tools = find_family_tools();
  if (!tools) return tools.error();
  auto before = iptables_counts();
  if (!before) return before.error();
  const bool stood = is_among(*before, rules.uid);
  for (const IptablesTable table : iptables_tables) {
    for (const FamilyTools& one : *tools) {
      auto loaded = load(one, table, rules);
      if (loaded) continue;
      // What stood before goes on refusing: half of the new and half of the old let nothing out.
      if (!stood) (void)remove_iptables(rules.uid);
      return loaded.error();
    }
  }
  return stood;
}

Result<bool, SetupFault> remove_iptables(std::uint32_t uid) {
  auto tools = find_family_tools();
  if (!tools) return false;
  bool found = false;
  for (const IptablesTable table :
       {IptablesTable::nat, IptablesTable::filter, IptablesTable::mangle}) {
    for (const FamilyTools& one : *tools) {
      if (!kernel_uses(one.family, table)) continue;
      auto now = saved(one, table);
      if (!now) return now.error();
      const std::string rules = render_iptables_removal(uid, table, *now);
      if (rules.empty()) continue;
      found = true;
      if (auto removed = restore(one, rules); !removed) return removed.error();
    }
  }
  return found;
}

Result<std::vector<HostCounts>, SetupFault> iptables_counts() {
  std::vector<HostCounts> all;
  auto tools = find_family_tools();
  if (!tools) return all;
  for (const FamilyTools& one : *tools) {
    SavedTables tables;
    for (const IptablesTable table : iptables_tables) {
      if (!kernel_uses(one.family, table)) continue;
      auto now = saved(one, table);
      if (!now) return now.error();
      (table == IptablesTable::mangle   ? tables.mangle
       : table == IptablesTable::filter ? tables.filter
                                        : tables.nat) = std::move(*now);
    }
    for (const std::uint32_t uid : read_iptables_users(tables.nat)) {
      const auto counts = read_iptables_counts(uid, tables);
      if (!counts) continue;
      const auto known = std::find_if(all.begin(), all.end(),
                                      [uid](const HostCounts& other) { return other.uid == uid; });
      if (known == all.end()) {
        all.push_back(*counts);
      } else {
        known->redirected += counts->redirected;
        known->refused += counts->refused;
      }
    }
  }
  return all;
}

std::string describe_iptables(const HostRules& rules) {
  std::string text;
  for (const IptablesTable table : iptables_tables) {
    for (const Family family : {Family::v4, Family::v6}) {
      text += std::string("# ") + (family == Family::v4 ? "iptables" : "ip6tables") +
              "-legacy-restore --noflush --counters (one transaction)\n" +
              render_iptables(rules, family, table, {});
    }
  }
  return text;
}

}  // namespace egret
