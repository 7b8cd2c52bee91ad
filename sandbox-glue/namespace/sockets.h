// The only exits of a sandbox's network namespace: sockets created inside it and held outside.
//
// A socket belongs for ever to the namespace in which it was created, so whoever holds these
// accepts the sandbox's traffic from wherever it runs, and which of them accepted a connection
// names the sandbox beyond forgery. All are non-blocking and close-on-exec.
//
// tcp4/tcp6  listening; every TCP connection of the sandbox that is not to its own loopback and not
// to
//            port 53 ends here. SO_ORIGINAL_DST (level SOL_IP) or IP6T_SO_ORIGINAL_DST (level
//            SOL_IPV6, also 80) on the accepted socket names what the client dialled. A client that
//            dials the gate's own port on loopback gets here too: its original destination is a
//            loopback address, which no redirected connection can have, and the gate refuses it.
// dns_udp*   bound to 127.0.0.1 and ::1; every UDP datagram to port 53 of any address ends here,
// and
//            the answer must leave by the same socket.
// dns_tcp*   listening on 127.0.0.1 and ::1; the same for TCP to port 53.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/unique_fd.h"

namespace egret {

struct NamespaceSockets {
  UniqueFd tcp4;
  UniqueFd tcp6;
  UniqueFd dns_udp4;
  UniqueFd dns_udp6;
  UniqueFd dns_tcp4;
  UniqueFd dns_tcp6;
  std::uint16_t tcp_port = 0;  // both families
  std::uint16_t dns_port = 0;  // both families, UDP and TCP
};

// In the order in which they are handed over: tcp4, dns_udp4, dns_tcp4, and the same of IPv6 where
// the kernel has it. Borrowed.
std::vector<int> descriptors_of(const NamespaceSockets& sockets);
// Nothing unless there are as many as that.
std::optional<NamespaceSockets> sockets_from(std::vector<UniqueFd> descriptors,
                                             std::uint16_t tcp_port, std::uint16_t dns_port);

}  // namespace egret
