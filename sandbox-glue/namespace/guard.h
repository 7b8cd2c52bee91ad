// Turns a network namespace into one whose only exits are sockets that the gate holds.
//
// The same for every kind of sandbox: a process sandbox unshares a namespace and calls this in it,
// a container's or a VM's namespace is entered first. Run it in a short-lived forked process,
// because it needs the namespace and CAP_NET_ADMIN over it, which the gate must not have.
#pragma once

#include <string>
#include <utility>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/namespace/loopback.h"
#include "sandbox-glue/namespace/rules.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

// Loopback and routes, sockets, rules, and the proof that they hold. A fault leaves a namespace in
// which nothing may be started. REQUIRES: CAP_NET_ADMIN over the current network namespace.
//
// With `guest` the namespace holds the other end of a guest's network card: the device gets its
// addresses, and everything that comes in by it ends at the same sockets.
Result<NamespaceSockets, SetupFault> guard_namespace(const std::string& nft_path,
                                                     const GuestDevice* guest = nullptr);

// The same for a namespace in which something runs already: a fault leaves it as it was found.
// Rules of an attachment that is over are replaced, in one step.
class NamespaceGuard {
 public:
  explicit NamespaceGuard(std::string nft_path) : nft_path_(std::move(nft_path)) {}
  Result<NamespaceSockets, SetupFault> set_up(Rules mode, const GuestDevice* guest = nullptr);
  // As it was before set_up(); rules that stood before stay.
  void undo() noexcept;

 private:
  std::string nft_path_;
  LoopbackChanges loopback_;
  GuestChanges guest_;
  bool rules_ = false;
};

}  // namespace egret
