// What `egret attach` and the keeper say to each other, over SOCK_SEQPACKET: words, each a whole
// message of fields that a zero octet separates, some with descriptors.
//
//   keep SANDBOX LABEL IDENTITY PATH TCP_PORT DNS_PORT  + sockets, then a pidfd where PATH is empty
//   free LABEL IDENTITY             whether neither is attached
//   drop LABEL IDENTITY             either names it
//   list
//
// Answers: `ok`, `error WHAT REMEDY`, and to `list` any number of `kept …`, then `ok`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

// A namespace to keep behind the gate, whatever made it: its sockets, and how to see that it is
// gone. Either `alive` (a descriptor that becomes readable then) or `path` (where a file of this
// identity is then no longer found) says that.
struct Offer {
  std::string sandbox;
  std::string label;     // for people and records, and what `--detach` names; without newlines
  std::string identity;  // of the namespace: identity_of()
  std::string path;
  UniqueFd alive;
  NamespaceSockets sockets;
};

struct KeptEntry {
  std::string sandbox;
  std::string label;
  std::string identity;
  std::string state;  // "attached", "waiting for a gate", or "refused: WHY"
};

using Fields = std::vector<std::string>;
std::string joined(const Fields& fields);
Fields fields_of(std::string_view message);

Result<void, SetupFault> send_offer(const UniqueFd& channel, const Offer& offer);
// Nothing where the message is none of send_offer()'s.
std::optional<Offer> offer_in(ChannelMessage message);

}  // namespace egret
