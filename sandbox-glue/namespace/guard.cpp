#include "sandbox-glue/namespace/guard.h"

#include "sandbox-glue/namespace/guest_test.h"
#include "sandbox-glue/namespace/open_sockets.h"
#include "sandbox-glue/namespace/self_test.h"

namespace egret {

Result<NamespaceSockets, SetupFault> guard_namespace(const std::string& nft_path,
                                                     const GuestDevice* guest) {
  return NamespaceGuard(nft_path).set_up(Rules::Fresh, guest);
}

Result<NamespaceSockets, SetupFault> NamespaceGuard::set_up(Rules mode, const GuestDevice* guest) {
  if (auto up = bring_up_loopback(loopback_); !up) return up.error();
  auto sockets =
      open_namespace_sockets(guest == nullptr ? SocketsFor::OwnProcesses : SocketsFor::Guest);
  if (!sockets) return sockets.error();
  const std::string rules = render_rules(sockets->tcp_port, sockets->dns_port,
                                         guest == nullptr ? std::string() : guest->name);
  if (auto loaded = load_rules(nft_path_, rules, mode); !loaded) return loaded.error();
  rules_ = mode == Rules::Fresh;
  if (auto proved = test_namespace(*sockets); !proved) return proved.error();
  if (guest == nullptr) return sockets;
  // Only now: the rules stand before the device can carry anything.
  auto link = bring_up_guest_device(guest->name, guest_);
  if (!link) return link.error();
  if (auto proved = test_guest_device(*guest, *link, *sockets); !proved) return proved.error();
  return sockets;
}

void NamespaceGuard::undo() noexcept {
  egret::undo(guest_);
  if (rules_) delete_rules(nft_path_);
  egret::undo(loopback_);
}

}  // namespace egret
