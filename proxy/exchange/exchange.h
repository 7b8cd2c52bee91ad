// One request's life without the world: admitted or refused, rebuilt for the origin, its response
// cleaned for the client. Pure; the session does the I/O between these steps.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decide/decide.h"
#include "proxy/exchange/ingress.h"
#include "proxy/exchange/placeholders.h"
#include "proxy/exchange/reply.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/wire/message.h"

namespace egret {

// What admit() found out. The target is there as soon as it could be read, also for a refusal.
struct Admission {
  std::optional<Addressed> addressed;
  std::optional<Permit> permit;  // exactly one of permit and refusal is set
  std::optional<Refusal> refusal;
  std::string_view alarm;  // constant, for the record
  SecretPlan secrets;
  bool websocket = false;  // a checked upgrade request
  bool expects_continue = false;

  std::optional<Target> settled;  // the connection's, for a request that does not name it

  const Target* target() const {
    if (addressed) return &addressed->target;
    return settled ? &*settled : nullptr;
  }
};

// The decision about one request, the same for every way in.
Admission admit(const SandboxSnapshot& snapshot, const Ingress& ingress, const RequestHead& head);

// The message the origin gets, built afresh: origin-form, our Host, no hop-by-hop field, nothing
// that names the proxy or the client. Placeholders are still in it.
RequestHead head_for_origin(const Admission& admission, const RequestHead& head);

// The message the client gets: no hop-by-hop field, no Alt-Svc, secrets redacted. An origin's 407
// is turned into 502 by the caller through this fault (ATTACKS D24).
Result<void, Refusal> clean_response(ResponseHead& head,
                                     const std::shared_ptr<const Needles>& needles,
                                     std::uint64_t& redactions);

// Fields behind a response's body, under the same rules.
FieldList clean_trailers(const FieldList& trailers, const std::shared_ptr<const Needles>& needles,
                         std::uint64_t& redactions);
// No placeholder may stand in a field behind a request's body; the codecs have refused what would
// be framing, routing or a credential (ATTACKS D08, E12).
std::optional<Refusal> check_trailers(const SandboxSnapshot& snapshot, const FieldList& trailers);

// Which needles apply to what comes back from this host.
const std::shared_ptr<const Needles>& needles_for_response(const SandboxSnapshot& snapshot,
                                                           const Host& host);

}  // namespace egret
