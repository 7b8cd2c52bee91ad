// Guards a network namespace that exists already, from outside: a forked child enters it, sets up
// what guard.h says and hands the sockets out. It stays there until it is told that somebody keeps
// them; told otherwise, or when this process ends in whatever way, it takes everything back.
#pragma once

#include <string>
#include <sys/types.h>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"
#include "sandbox-glue/namespace/target.h"

namespace egret {

class EnteredNamespace {
 public:
  // Refuses a namespace with another interface than loopback, and one that another gate serves.
  // `tap`, where it is not empty, may be there: the device of a guest that has not started yet, and
  // from here on what comes in by it is the sandbox's as well. is_device_name().
  // The child uses nothing of the namespace's file system: only its network, and where this user
  // has no power over that otherwise, the user namespace that owns it. REQUIRES: a single-threaded
  // process.
  static Result<EnteredNamespace, SetupFault> enter(const NamespaceTarget& target,
                                                    const std::string& nft_path,
                                                    const std::string& tap = {});
  EnteredNamespace(EnteredNamespace&& other) noexcept;
  EnteredNamespace& operator=(EnteredNamespace&&) = delete;
  ~EnteredNamespace();  // undone unless kept, and waited for

  NamespaceSockets& sockets() { return sockets_; }
  // The sockets are in good hands: what was set up stays.
  void keep();

 private:
  EnteredNamespace(pid_t child, UniqueFd channel, NamespaceSockets sockets);
  pid_t child_;
  UniqueFd channel_;
  NamespaceSockets sockets_;
};

}  // namespace egret
