#include "sandbox-glue/namespace/guard.h"

#include "sandbox-glue/namespace/loopback.h"
#include "sandbox-glue/namespace/open_sockets.h"
#include "sandbox-glue/namespace/rules.h"
#include "sandbox-glue/namespace/self_test.h"

namespace egret {

Result<NamespaceSockets, SetupFault> guard_namespace(const std::string& nft_path) {
  if (auto up = bring_up_loopback(); !up) return up.error();
  auto sockets = open_namespace_sockets();
  if (!sockets) return sockets.error();
  const std::string rules = render_rules(sockets->tcp_port, sockets->dns_port);
  if (auto loaded = load_rules(nft_path, rules); !loaded) return loaded.error();
  if (auto proved = test_namespace(*sockets); !proved) return proved.error();
  return sockets;
}

}  // namespace egret
