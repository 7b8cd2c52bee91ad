// Messages with descriptors between the gate and what it starts inside a namespace, over one
// SOCK_SEQPACKET pair: a message arrives whole or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

struct ChannelPair {
  UniqueFd ours;    // tells the sender's pid with each message (SO_PASSCRED)
  UniqueFd theirs;  // both ends are close-on-exec
};

struct ChannelMessage {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
  pid_t sender = -1;  // in the receiver's pid namespace
};

constexpr std::size_t channel_message_bytes_max = 8192;
constexpr std::size_t channel_descriptors_max = 8;

Result<ChannelPair, SetupFault> make_channel();

Result<void, SetupFault> send_message(const UniqueFd& channel, std::string_view bytes,
                                      const std::vector<int>& descriptors);

// Blocks for one message; nothing when the other side has closed the channel.
Result<std::optional<ChannelMessage>, SetupFault> receive_message(const UniqueFd& channel);

// The two things a namespace says to the gate: here are its sockets, or why there are none.
Result<void, SetupFault> send_sockets(const UniqueFd& channel, const NamespaceSockets& sockets);
void send_fault(const UniqueFd& channel, const SetupFault& fault) noexcept;
Result<NamespaceSockets, SetupFault> receive_sockets(const UniqueFd& channel);

}  // namespace egret
