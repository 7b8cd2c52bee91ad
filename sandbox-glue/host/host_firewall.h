// Loads, removes and counts what confines users of this machine (host_rules.h), by nftables or,
// where that cannot be had, by iptables-legacy. REQUIRES: CAP_NET_ADMIN, but for `needs_root()`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/host/host_rules.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

enum class HostBackend : std::uint8_t { nft, iptables };
constexpr const char* name(HostBackend backend) {
  return backend == HostBackend::nft ? "nft" : "iptables-legacy";
}

enum class BackendChoice : std::uint8_t { automatic, iptables };

struct HostApplied {
  HostBackend backend = HostBackend::nft;
  bool replaced = false;  // rules of this user stood before
  std::string refused;    // why nft could not be used, where it was tried
};

// A fault where this process may not change the firewall.
std::optional<SetupFault> needs_root();

// Replaces what stands of this user. After a fault nothing stands that did not before, and what
// stood is no wider.
Result<HostApplied, SetupFault> apply_host_rules(const HostRules& rules, BackendChoice choice);

// Whatever there is of the user, of both kinds; false where there was nothing.
Result<bool, SetupFault> remove_host_rules(std::uint32_t uid);

struct HostUserCounts {
  HostBackend backend = HostBackend::nft;
  HostCounts counts;
};
Result<std::vector<HostUserCounts>, SetupFault> host_counts();

// What apply_host_rules() would load, for a person to read.
std::string describe_host_rules(const HostRules& rules, BackendChoice choice);

}  // namespace egret
