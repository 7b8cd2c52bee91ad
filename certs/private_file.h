// One small file that only its owner can read, wherever it lies: a secret, a client's key. What
// others could have read or replaced is refused with words that say what to do (ATTACKS J11).
#pragma once

#include <cstddef>
#include <string>

#include "certs/private_directory.h"
#include "policy/result.h"

namespace egret {

// Whom the group's bits of a file's mode stand for.
enum class GroupBits {
  are_a_group,
  // In a file of root's own group they are the mask of an access list, with which systemd lets a
  // service's user read a credential that stays root's.
  may_be_a_mask,
};

// A regular file of at most `bytes_max`, no link, ours or root's, without any group or other bit.
// The fault does not name the path, but for the command that helps: the caller knows what it is
// for. The caller wipes.
Result<std::string, FileFault> read_private_file(const std::string& path, std::size_t bytes_max,
                                                 GroupBits group = GroupBits::are_a_group);

}  // namespace egret
