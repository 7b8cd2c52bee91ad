#include "sandbox-glue/namespace/describe.h"

#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/namespace/rules.h"

namespace egret {

std::string describe_namespace(const std::string& guest_device) {
  std::string text = R"(# 1. every address of the world is local to the namespace
ip link set lo up
ip route add local 0.0.0.0/0 dev lo src 127.0.0.1
ip -6 route add local ::/0 dev lo src ::1

# 2. the only exits: sockets opened inside, held by the gate outside
tcp  0.0.0.0:TCP_PORT    tcp  [::]:TCP_PORT     all TCP but DNS and the sandbox's own loopback
)";
  text += guest_device.empty()
              ? R"(udp  127.0.0.1:DNS_PORT  udp  [::1]:DNS_PORT    DNS to any address
tcp  127.0.0.1:DNS_PORT  tcp  [::1]:DNS_PORT    DNS to any address
)"
              : R"(udp  0.0.0.0:DNS_PORT    udp  [::]:DNS_PORT     DNS to any address
tcp  0.0.0.0:DNS_PORT    tcp  [::]:DNS_PORT     DNS to any address
)";
  text += "\n# 3. nft -f - (one transaction, then tested from inside before anything runs)\n" +
          describe_rules(guest_device);
  if (!guest_device.empty()) text += "\n" + describe_guest_device(guest_device);
  return text;
}

}  // namespace egret
