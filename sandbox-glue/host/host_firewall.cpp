#include "sandbox-glue/host/host_firewall.h"

#include <algorithm>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox-glue/host/iptables_firewall.h"
#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

// nft turns the path into the number of a folder below /sys/fs/cgroup, whatever is mounted there:
// on a machine with the old hierarchies the rule would load and never match.
std::optional<SetupFault> cgroup_is_missing(const CgroupPath& cgroup) {
  constexpr const char* mount = "/sys/fs/cgroup";
  struct statfs kind {};
  if (::statfs(mount, &kind) != 0 || kind.f_type != CGROUP2_SUPER_MAGIC) {
    return SetupFault{
        "nftables matches cgroups of the unified hierarchy only, which is not what "
        "is mounted on /sys/fs/cgroup",
        "boot with systemd.unified_cgroup_hierarchy=1, or use --iptables"};
  }
  struct stat status {};
  const std::string path = std::string(mount) + "/" + cgroup.text();
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return std::nullopt;
  return SetupFault{"there is no cgroup " + path, "make it before: rules name one that is there"};
}

Result<void, SetupFault> load_nft(const std::string& nft, const HostRules& rules) {
  if (rules.cgroup) {
    if (auto fault = cgroup_is_missing(*rules.cgroup)) return *fault;
  }
  auto loaded = run_tool({nft, "-f", "-"}, render_nft(rules));
  if (loaded) return {};
  SetupFault fault = loaded.error();
  fault.what = "cannot load the user's nftables rules: " + fault.what;
  fault.remedy = std::string("modprobe nf_tables nft_chain_nat nft_redir nft_reject_inet nft_ct") +
                 (rules.cgroup ? " nft_socket" : "") + " (kernel support)";
  return fault;
}

// The users whose tables there are; none without the program.
Result<std::vector<std::uint32_t>, SetupFault> nft_users() {
  const auto nft = find_tool("nft", "nftables");
  if (!nft) return std::vector<std::uint32_t>();
  auto tables = read_tool({*nft, "-n", "list", "tables", "inet"});
  if (!tables) return tables.error();
  return read_nft_users(*tables);
}

bool has_nft_rules(std::uint32_t uid) {
  const auto users = nft_users();
  return users && std::find(users->begin(), users->end(), uid) != users->end();
}

Result<bool, SetupFault> remove_nft(std::uint32_t uid) {
  const auto users = nft_users();
  if (!users) return users.error();
  if (std::find(users->begin(), users->end(), uid) == users->end()) return false;
  auto nft = find_tool("nft", "nftables");
  if (!nft) return nft.error();
  auto removed = run_tool({*nft, "-f", "-"}, render_nft_removal(uid));
  if (!removed) return removed.error();
  return true;
}

Result<std::vector<HostUserCounts>, SetupFault> nft_counts() {
  std::vector<HostUserCounts> all;
  const auto users = nft_users();
  if (!users) return users.error();
  for (const std::uint32_t uid : *users) {
    auto nft = find_tool("nft", "nftables");
    if (!nft) return nft.error();
    auto listed = read_tool({*nft, "-n", "list", "table", "inet", nft_table(uid)});
    if (!listed) return listed.error();
    if (const auto counts = read_nft_counts(uid, *listed))
      all.push_back({HostBackend::nft, *counts});
  }
  return all;
}

}  // namespace

std::optional<SetupFault> needs_root() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) == 0 &&
      (sets[0].effective & (1U << CAP_NET_ADMIN)) != 0) {
    return std::nullopt;
  }
  return SetupFault{"changing or reading the firewall needs root (CAP_NET_ADMIN)", "sudo"};
}

Result<HostApplied, SetupFault> apply_host_rules(const HostRules& rules, BackendChoice choice) {
  HostApplied applied;
  std::optional<SetupFault> refused;
  if (choice == BackendChoice::automatic) {
    if (auto nft = find_tool("nft", "nftables"); !nft) {
      refused = nft.error();
    } else {
      applied.replaced = has_nft_rules(rules.uid);
      if (auto loaded = load_nft(*nft, rules); !loaded) refused = loaded.error();
    }
  }
  if (choice == BackendChoice::automatic && !refused) {
    auto other = remove_iptables(rules.uid);
    if (!other) return other.error();
    applied.replaced = applied.replaced || *other;
    return applied;
  }
  applied.backend = HostBackend::iptables;
  if (refused) applied.refused = refused->what;
  auto loaded = apply_iptables(rules);
  if (!loaded) {
    // Why the first choice failed is what a person has to know.
    if (refused) refused->what += "; and " + loaded.error().what;
    return refused ? *refused : loaded.error();
  }
  // A kernel without nftables has no such rules.
  const auto other = remove_nft(rules.uid);
  applied.replaced = *loaded || (other && *other);
  return applied;
}

Result<bool, SetupFault> remove_host_rules(std::uint32_t uid) {
  const auto nft = remove_nft(uid);
  const auto iptables = remove_iptables(uid);
  if (!iptables) return iptables.error();
  // A host of iptables only has no nftables to look into.
  if (!nft && !*iptables) return nft.error();
  return *iptables || (nft && *nft);
}

Result<std::vector<HostUserCounts>, SetupFault> host_counts() {
  auto nft = nft_counts();
  auto iptables = iptables_counts();
  if (!iptables) return iptables.error();
  if (!nft && iptables->empty()) return nft.error();
  std::vector<HostUserCounts> all;
  if (nft) all = std::move(*nft);
  for (const HostCounts& counts : *iptables)
    all.push_back({HostBackend::iptables, counts});
  return all;
}

std::string describe_host_rules(const HostRules& rules, BackendChoice choice) {
  if (choice == BackendChoice::iptables) return describe_iptables(rules);
  return "# nft -f - (one transaction)\n" + render_nft(rules);
}

}  // namespace egret
