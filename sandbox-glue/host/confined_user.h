// Whose traffic is meant: a user of this machine and every uid that its processes may take.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/host/host_rules.h"

namespace egret {

struct ConfinedUser {
  std::string name;  // as the system knows it; the number where it knows none
  uid_t uid = 0;
  std::vector<UidRange> uids;  // with the subordinate ones, merged
};

// By name or by number; a number needs no entry in the user database. Root is refused: who may load
// rules may unload them.
Result<ConfinedUser, SetupFault> find_confined_user(const std::string& name_or_uid);

// The ranges that /etc/subuid gives this user. With newuidmap its processes become these uids, and
// their sockets carry them: without these ranges `podman run --network host` would be a way out.
std::vector<UidRange> subordinate_uids(std::string_view subuid, std::string_view name, uid_t uid);

bool contains(const std::vector<UidRange>& uids, uid_t uid);
std::string user_name(uid_t uid);  // the number where there is no name

}  // namespace egret
