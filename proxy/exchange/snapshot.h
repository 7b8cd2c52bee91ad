// Everything that decides for one sandbox, immutable: taken once per request, replaced whole on
// reload. Shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "policy/decide/address_gate.h"
#include "policy/decide/policy.h"
#include "policy/secret/grant.h"
#include "policy/secret/replacer.h"

namespace egret {

struct SandboxSnapshot {
  std::string sandbox;
  std::uint64_t generation = 0;
  Policy policy;
  GrantTable grants;
  AddressRules addresses;

  // Real values → placeholders, in what comes back from hosts with a grant. Also the spellings that
  // base64 (any alignment, standard and URL-safe), URLs, forms and JSON give them.
  std::shared_ptr<const Needles> redact;
  // The same from hosts without a grant, at equal length, so that no Content-Length changes there.
  std::shared_ptr<const Needles> mask;
  // Placeholders in request bodies; an entry's id is the grant's index. Replaced by the secret
  // where the grant says `body`, else by itself: then the hit is what counts.
  std::shared_ptr<const Needles> body;
  // The same with the values as a JSON string and as a form (percent-encoded) holds them.
  std::shared_ptr<const Needles> body_json;
  std::shared_ptr<const Needles> body_form;
  // The same for WebSocket messages of the client.
  std::shared_ptr<const Needles> websocket;
};

using SnapshotPtr = std::shared_ptr<const SandboxSnapshot>;

SnapshotPtr make_snapshot(std::string sandbox, std::uint64_t generation, Policy policy,
                          GrantTable grants, AddressRules addresses);

}  // namespace egret
