#include "proxy/exchange/snapshot.h"

#include <array>
#include <utility>
#include <vector>

#include "proxy/exchange/base64.h"
#include "proxy/exchange/percent.h"

namespace egret {
namespace {

using Entries = std::vector<Needles::Entry>;

std::string of_length(std::string_view text, std::size_t bytes) {
  std::string out(text.substr(0, bytes));
  out.resize(bytes, 'x');
  return out;
}

// Of one grant and list, at most: lists that do not grow leave no copies behind.
constexpr std::size_t spellings_max = 10;

// A piece of base64 shorter than this says nothing about a secret and could be anything.
constexpr std::size_t base64_core_min = 10;

// `+` and `/` become `-` and `_` (RFC 4648 5).
std::string url_safe(std::string text) {
  for (char& c : text)
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

// As a JSON string would hold it; only where that differs.
std::string json_escaped(std::string_view text, bool slashes) {
  std::string out;
  out.reserve(2 * text.size());
  for (const char c : text) {
    if (c == '"' || c == '\\' || (slashes && c == '/')) out += '\\';
    out += c;
  }
  return out;
}

void add_spellings(Entries& redact, Entries& mask, const Grant& grant, std::size_t id) {
  const std::string_view secret = grant.secret->reveal();
  const std::string& placeholder = grant.placeholder.text();
  redact.push_back({std::string(secret), placeholder, id});
  mask.push_back({std::string(secret), of_length(placeholder, secret.size()), id});
  std::array<std::string, 3> others = {percent_encoded(secret), json_escaped(secret, false),
                                       json_escaped(secret, true)};
  for (std::string& other : others) {  // of equal ones the first counts
    if (other != secret) {
      redact.push_back({other, placeholder, id});
      mask.push_back({other, of_length(placeholder, other.size()), id});
    }
    wipe(other);
  }
  for (unsigned phase = 0; phase < 3; ++phase) {
    std::string core = base64_core(secret, phase);
    if (core.size() < base64_core_min) {
      wipe(core);
      continue;
    }
    // Equal length in both: what is around it in the base64 text has to stay decodable.
    std::string instead = of_length(base64_core(placeholder, phase), core.size());
    if (std::string safe = url_safe(core); safe != core) {
      redact.push_back({safe, instead, id});
      mask.push_back({std::move(safe), instead, id});
    }
    redact.push_back({core, instead, id});
    mask.push_back({std::move(core), std::move(instead), id});
  }
}

}  // namespace

SnapshotPtr make_snapshot(std::string sandbox, std::uint64_t generation, Policy policy,
                          GrantTable grants, AddressRules addresses) {
  auto snapshot = std::make_shared<SandboxSnapshot>();
  snapshot->sandbox = std::move(sandbox);
  snapshot->generation = generation;
  snapshot->policy = std::move(policy);
  snapshot->grants = std::move(grants);
  snapshot->addresses = std::move(addresses);

  Entries redact;
  Entries mask;
  Entries body;
  Entries websocket;
  const std::size_t grant_count = snapshot->grants.grants().size();
  redact.reserve(spellings_max * grant_count);
  mask.reserve(spellings_max * grant_count);
  body.reserve(grant_count);
  websocket.reserve(grant_count);
  const std::vector<Grant>& all = snapshot->grants.grants();
  for (std::size_t id = 0; id < all.size(); ++id) {
    const Grant& grant = all[id];
    add_spellings(redact, mask, grant, id);
    const std::string& placeholder = grant.placeholder.text();
    const bool in_body = grant.has(PlaceKind::body);
    body.push_back({placeholder, in_body ? std::string(grant.secret->reveal()) : placeholder, id});
    const bool in_websocket = grant.has(PlaceKind::websocket);
    websocket.push_back(
        {placeholder, in_websocket ? std::string(grant.secret->reveal()) : placeholder, id});
  }
  snapshot->redact = std::make_shared<const Needles>(std::move(redact));
  snapshot->mask = std::make_shared<const Needles>(std::move(mask));
  snapshot->body = std::make_shared<const Needles>(std::move(body));
  snapshot->websocket = std::make_shared<const Needles>(std::move(websocket));
  return snapshot;
}

}  // namespace egret
