// A sandbox's grants: each of its secrets read from its source, with the placeholder that the
// sandbox sees in its place. All or nothing: a secret that cannot be had is a fault, and the fault
// lists every such secret, a line each.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "policy/result.h"
#include "policy/secret/grant.h"
#include "proxy/secrets/source.h"

namespace egret {

Result<GrantTable, SecretSourceFault> load_grants(const Config& config,
                                                  const SandboxConfig& sandbox,
                                                  const std::string& state_dir);

// Where flags add secrets to those of the file. Two of one name are a fault.
Result<GrantTable, SecretSourceFault> load_grants(const std::vector<SecretConfig>& secrets,
                                                  const std::string& sandbox,
                                                  const std::string& state_dir);

}  // namespace egret
