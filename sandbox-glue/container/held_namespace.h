// A guarded network namespace without a command of its own: a small process stays in it, so that
// podman finds it by a path. It ends with the gate, however that ends.
#pragma once

#include <string>
#include <sys/types.h>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

class HeldNamespace {
 public:
  // `owner`: the user namespace that shall own it; none: the caller's own, for which it needs root.
  // REQUIRES: a single-threaded process.
  static Result<HeldNamespace, SetupFault> make(const std::string& nft_path, const UniqueFd& owner);

  HeldNamespace(HeldNamespace&& other) noexcept;
  HeldNamespace& operator=(HeldNamespace&&) = delete;
  ~HeldNamespace();  // ends the process; the namespace lives as long as others are in it

  NamespaceSockets& sockets() { return sockets_; }
  std::string path() const;

 private:
  HeldNamespace(pid_t holder, UniqueFd channel) : holder_(holder), channel_(std::move(channel)) {}

  pid_t holder_;
  UniqueFd channel_;
  NamespaceSockets sockets_;
};

}  // namespace egret
