#include "sandbox-glue/namespace/guard.h"

#include "sandbox-glue/namespace/open_sockets.h"
#include "sandbox-glue/namespace/self_test.h"

namespace egret {

Result<NamespaceSockets, SetupFault> guard_namespace(const std::string& nft_path) {
  return NamespaceGuard(nft_path).set_up(Rules::Fresh);
}

Result<NamespaceSockets, SetupFault> NamespaceGuard::set_up(Rules mode) {
  if (auto up = bring_up_loopback(loopback_); !up) return up.error();
  auto sockets = open_namespace_sockets();
  if (!sockets) return sockets.error();
  const std::string rules = render_rules(sockets->tcp_port, sockets->dns_port);
  if (auto loaded = load_rules(nft_path_, rules, mode); !loaded) return loaded.error();
  rules_ = mode == Rules::Fresh;
  if (auto proved = test_namespace(*sockets); !proved) return proved.error();
  return sockets;
}

void NamespaceGuard::undo() noexcept {
  if (rules_) delete_rules(nft_path_);
  egret::undo(loopback_);
}

}  // namespace egret
