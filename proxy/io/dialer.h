// The one place that opens connections to origins: for a Permit, to addresses that have passed the
// gate, verified for the canonical name (DESIGN invariants 1-3, 5; ATTACKS B01, B05, B12, C01-C03).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "policy/decide/address_gate.h"
#include "policy/decide/decide.h"
#include "policy/result.h"
#include "proxy/exchange/reply.h"
#include "proxy/io/resolver.h"
#include "proxy/io/stream.h"
#include "proxy/io/tls.h"
#include "proxy/io/upstream_proxy.h"

namespace egret {

struct DialLimits {
  std::chrono::milliseconds connect_max{10000};
  std::chrono::milliseconds tls_max{10000};
  std::chrono::milliseconds proxy_max{20000};         // for an upstream proxy's answer to CONNECT
  std::chrono::milliseconds next_address_after{250};  // RFC 8305 connection attempt delay
};

struct OriginStream {
  std::unique_ptr<SessionSink> sink;  // before the stream: outlives its SSL
  std::unique_ptr<Stream> stream;
  std::string address;  // as dialled, for the record
  // Plain http through an upstream proxy, which is spoken to in absolute form.
  std::shared_ptr<const UpstreamProxy> proxy;
};

// How connections leave.
struct DialRoute {
  std::shared_ptr<const UpstreamProxy> proxy;       // null: straight
  const std::vector<SocketAddress>& own_listeners;  // what leads there is a loop
};

// One a worker.
class Dialer {
 public:
  Dialer(asio::io_context& context, Deadlines& wheel, Resolver& resolver, OriginSessions& sessions,
         DialLimits limits, DialRoute route);

  // Where the permit's target is, every address checked; nothing is dialled yet. The gate itself is
  // no origin (ATTACKS A25, G12).
  Task<Result<std::vector<CheckedAddress>, Refusal>> locate(const Permit& permit,
                                                            const AddressRules& rules);
  // What a record made before the dialling says: the address that is dialled first. Empty where it
  // is a proxy known by its name.
  std::string first_address(const Permit& permit,
                            const std::vector<CheckedAddress>& addresses) const;
  // TCP, past or through the upstream proxy, and TLS where the target says https. `pool_key` names
  // what a TLS session may be resumed for; a tunnel (scheme tcp) needs neither.
  Task<Result<OriginStream, Refusal>> connect(const Permit& permit,
                                              const std::vector<CheckedAddress>& addresses,
                                              const OriginTls* tls, std::string pool_key,
                                              HttpOffer offer);

 private:
  Task<Result<std::vector<CheckedAddress>, Refusal>> look_up(const Permit& permit,
                                                             const AddressRules& rules);
  // The upstream proxy where the target is not reached without it.
  const UpstreamProxy* proxy_for(const Permit& permit,
                                 const std::vector<CheckedAddress>& addresses) const;
  Task<Result<OriginStream, Refusal>> dial(const Permit& permit,
                                           const std::vector<CheckedAddress>& addresses,
                                           HttpOffer offer);
  Task<Result<OriginStream, Refusal>> dial_proxy();
  Task<std::unique_ptr<Stream>> race(const std::vector<SocketAddress>& places, std::string& winner);

  asio::io_context& context_;
  Deadlines& wheel_;
  Resolver& resolver_;
  OriginSessions& sessions_;
  DialLimits limits_;
  DialRoute route_;
};

}  // namespace egret
