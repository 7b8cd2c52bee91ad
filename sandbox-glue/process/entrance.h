// The process between the gate and bubblewrap: it guards the namespace and hands the sockets over.
#pragma once

#include <string>
#include <sys/types.h>

#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/process/bubblewrap.h"

namespace egret {

struct Entrance {
  const std::string& nft_path;
  const BubblewrapCall& bubblewrap;
  ChannelPair& channel;
  const UniqueFd& words;  // takes what the programs on the way say on stderr
  uid_t uid;
  gid_t gid;
};

// Called in the child of fork_into_namespaces(). Speaks on the channel (sockets, or a fault) and
// becomes bubblewrap, which starts egret_launch; that waits for the gate's order. Dies when the
// gate dies.
[[noreturn]] void enter_sandbox(const Entrance& entrance);

}  // namespace egret
