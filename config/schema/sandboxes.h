// `sandboxes:`: each with its profiles, rules and secrets resolved.
#pragma once

#include <map>
#include <string>

#include "config/schema/context.h"
#include "config/schema/profiles.h"

namespace egret::schema {

// Adds the well-known secrets that a sandbox names without an entry in `secrets:`.
std::map<std::string, SandboxConfig> read_sandboxes(Context& context, const Node& node,
                                                    const ProfileBook& profiles,
                                                    std::map<std::string, SecretConfig>& secrets);

}  // namespace egret::schema
