// How a request reached the gate, as far as it says where the request may go. The decision itself
// does not depend on it (ATTACKS A08, A22).
#pragma once

#include <cstdint>
#include <optional>

#include "policy/target/request_path.h"
#include "policy/target/target.h"
#include "proxy/exchange/reply.h"
#include "proxy/wire/message.h"

namespace egret {

struct Ingress {
  enum class Kind : std::uint8_t {
    explicit_proxy,  // plain HTTP to the proxy: absolute-form names the target
    intercepted,  // inside TLS that we terminate: the target is settled, every request must name it
    transparent_plain,  // plain HTTP on a captured connection: Host names the target, the port is
                        // given
  };
  Kind kind = Kind::explicit_proxy;
  std::optional<Target> settled;  // intercepted
  std::uint16_t port = 80;        // transparent_plain: the original destination's port
};

struct Addressed {
  Target target;
  RequestPath path;
};

// The one target of a request, from its request-target and its Host field, which have to agree
// (ATTACKS A05, A06, A12; DESIGN invariant 2).
Result<Addressed, Refusal> address_request(const Ingress& ingress, const RequestHead& head);

}  // namespace egret
