#include "proxy/exchange/snapshot.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "proxy/exchange/base64.h"
#include "proxy/exchange/percent.h"
#include "proxy/exchange/spellings.h"

namespace egret {
namespace {

using Entries = std::vector<Needles::Entry>;

std::string of_length(std::string_view text, std::size_t bytes) {
  std::string out(text.substr(0, bytes));
  out.resize(bytes, 'x');
  return out;
}

// Of one grant and list, at most: lists that do not grow leave no copies behind.
constexpr std::size_t spellings_max = 1 + text_spellings_max + 9;

// A piece of base64 shorter than this says nothing about a secret and could be anything.
constexpr std::size_t base64_core_min = 10;

// `+` and `/` become `-` and `_` (RFC 4648 5).
std::string url_safe(std::string text) {
  for (char& c : text)
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

void add_spellings(Entries& redact, Entries& mask, const Grant& grant, std::size_t id) {
  const std::string_view secret = grant.secret->reveal();
  const std::string& placeholder = grant.placeholder.text();
  redact.push_back({std::string(secret), placeholder, id});
  mask.push_back({std::string(secret), of_length(placeholder, secret.size()), id});
  for_each_text_spelling(secret, [&](const std::string& other) {
    const bool known = std::any_of(redact.begin(), redact.end(), [&](const Needles::Entry& entry) {
      return entry.id == id && entry.find == other;
    });
    if (known) return;
    redact.push_back({other, placeholder, id});
    mask.push_back({other, of_length(placeholder, other.size()), id});
  });
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
    if (std::string slashed = json_escaped_with_slashes(core); slashed != core) {
      const std::string as_long = of_length(instead, slashed.size());
      redact.push_back({slashed, instead, id});
      mask.push_back({std::move(slashed), as_long, id});
    }
    redact.push_back({core, instead, id});
    mask.push_back({std::move(core), std::move(instead), id});
  }
}

enum class Spelled { raw, json, form };

std::string spelled_as(Spelled how, std::string_view secret) {
  if (how == Spelled::json) return json_escaped(secret);
  return how == Spelled::form ? percent_encoded(secret) : std::string(secret);
}

// Placeholders, with what takes their place in this kind of place.
std::shared_ptr<const Needles> placeholders_in(PlaceKind place, const std::vector<Grant>& grants,
                                               Spelled how = Spelled::raw) {
  Entries entries;
  entries.reserve(grants.size());
  for (std::size_t id = 0; id < grants.size(); ++id) {
    const Grant& grant = grants[id];
    const std::string& placeholder = grant.placeholder.text();
    const bool counts = grant.has(place);
    entries.push_back(
        {placeholder, counts ? spelled_as(how, grant.secret->reveal()) : placeholder, id});
  }
  return std::make_shared<const Needles>(std::move(entries));
}

}  // namespace

SnapshotPtr make_snapshot(std::string sandbox, std::uint64_t generation, Policy policy,
                          GrantTable grants, AddressRules addresses) {
  auto snapshot = std::make_shared<SandboxSnapshot>();
  snapshot->sandbox = std::move(sandbox);
  addresses.denied = denied_ranges(policy.rules());
  snapshot->generation = generation;
  snapshot->policy = std::move(policy);
  snapshot->grants = std::move(grants);
  snapshot->addresses = std::move(addresses);

  Entries redact;
  Entries mask;
  const std::size_t grant_count = snapshot->grants.grants().size();
  redact.reserve(spellings_max * grant_count);
  mask.reserve(spellings_max * grant_count);
  const std::vector<Grant>& all = snapshot->grants.grants();
  for (std::size_t id = 0; id < all.size(); ++id) {
    add_spellings(redact, mask, all[id], id);
  }
  snapshot->redact = std::make_shared<const Needles>(std::move(redact));
  snapshot->mask = std::make_shared<const Needles>(std::move(mask));
  snapshot->body = placeholders_in(PlaceKind::body, all);
  snapshot->body_json = placeholders_in(PlaceKind::body, all, Spelled::json);
  snapshot->body_form = placeholders_in(PlaceKind::body, all, Spelled::form);
  snapshot->websocket = placeholders_in(PlaceKind::websocket, all);
  return snapshot;
}

}  // namespace egret
