// The HTTP proxy through which origins are reached (`origins.via`). It changes how a target is
// reached and nothing else: the name was decided, resolved and its addresses checked before, and an
// origin's TLS is verified end to end through the tunnel.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "policy/decide/address_gate.h"
#include "policy/decide/host_pattern.h"
#include "policy/secret/secret.h"
#include "policy/target/target.h"
#include "proxy/exchange/reply.h"
#include "proxy/io/socket_address.h"
#include "proxy/io/stream.h"

namespace egret {

// Thread rule: immutable, any thread.
struct UpstreamProxy {
  Host host;
  std::uint16_t port = 0;
  std::shared_ptr<const Secret> authorization;  // value of Proxy-Authorization; may be null
  std::vector<HostPattern> bypass;

  // Reached without the proxy: a pattern covers the host, or a range holds all of its addresses.
  bool passes_by(const Host& target, const std::vector<CheckedAddress>& addresses) const;
};

// One of the gate's own listeners: what is sent there comes back.
bool is_own_listener(const SocketAddress& address, const std::vector<SocketAddress>& own_listeners);

// CONNECT on a fresh connection to the proxy, all of it within `time_max`. Takes no byte behind the
// answer's head: those are the tunnel's. The refusal says what the proxy did, never what it wrote.
Task<Result<void, Refusal>> open_tunnel(Stream& stream, const UpstreamProxy& proxy,
                                        const Target& target, std::chrono::milliseconds time_max);

// A refusal that has to do with the proxy. Its hint names `origins.via`.
Refusal proxy_refusal(Reason reason, std::string_view what);
inline constexpr const char* proxy_denies_credentials =
    "the upstream proxy does not accept our credentials (407); user and password stand in "
    "origins.via, as http://user:password@host:port";

}  // namespace egret
