// The process between the gate and bubblewrap: it guards the namespace and hands the sockets over.
#pragma once

#include <string>
#include <sys/types.h>

#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/process/bubblewrap.h"

namespace egret {

constexpr const char* entrance_guest_device = "egret0";

struct Entrance {
  const std::string& nft_path;
  const BubblewrapCall& bubblewrap;
  ChannelPair& channel;
  const UniqueFd& words;  // takes what the programs on the way say on stderr
  uid_t uid;
  gid_t gid;
  // With a guest behind a tap device: one of the call's documents, whose number the device's queue
  // takes, and what hears the guest's questions about its network goes to the gate after the
  // sockets.
  const UniqueFd* guest_queue = nullptr;
};

// Called in the child of fork_into_namespaces(). Speaks on the channel (sockets, or a fault) and
// becomes bubblewrap, which starts egret_launch; that waits for the gate's order. Dies when the
// gate dies.
[[noreturn]] void enter_sandbox(const Entrance& entrance);

}  // namespace egret
