// iptables_rules.h, loaded by the programs of iptables-legacy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/host/host_rules.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// Whether rules of this user stood before. After a fault nothing stands that did not before.
Result<bool, SetupFault> apply_iptables(const HostRules& rules);
// False where there was nothing, or are no such programs.
Result<bool, SetupFault> remove_iptables(std::uint32_t uid);
// Both families together.
Result<std::vector<HostCounts>, SetupFault> iptables_counts();
std::string describe_iptables(const HostRules& rules);

}  // namespace egret
