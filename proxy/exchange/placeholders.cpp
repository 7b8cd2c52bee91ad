#include "proxy/exchange/placeholders.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "proxy/exchange/base64.h"
#include "proxy/exchange/percent.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

SecretRefusal refuse(Reason reason, std::string hint, std::string_view alarm = {}) {
  return {{403, {reason, {}, std::move(hint)}}, alarm};
}

// One spot of a head and the text that stands there.
struct Spot {
  enum class Kind { field, path, query } kind;
  std::string_view name;  // field or query parameter
};

bool names_header(const Grant& grant, std::string_view name) {
  return std::any_of(grant.places.begin(), grant.places.end(), [&](const Place& place) {
    return place.kind == PlaceKind::header && place.name == name;
  });
}

bool allowed_at(const Grant& grant, const Spot& spot) {
  switch (spot.kind) {
    case Spot::Kind::field:
      // A cookie may be stored and read back: only a grant that names it opens it.
      if (spot.name == "cookie") return names_header(grant, spot.name);
      return grant.allows_header(spot.name);
    case Spot::Kind::query:
      return grant.allows_query(spot.name);
    case Spot::Kind::path:
      return grant.has(PlaceKind::path);
  }
  return false;
}

std::string text_of(const Spot& spot) {
  switch (spot.kind) {
    case Spot::Kind::field:
      return "header:" + std::string(spot.name);
    case Spot::Kind::query:
      return "query:" + std::string(spot.name);
    case Spot::Kind::path:
      return "path";
  }
  return {};
}

bool is_word(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

// `Basic dXNlcjpwYXNz` → `user:pass`.
std::optional<std::string> basic_credentials(std::string_view value) {
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos || !is_word(value.substr(0, space), "basic"))
    return std::nullopt;
  const std::size_t begin = value.find_first_not_of(' ', space);
  if (begin == std::string_view::npos) return std::nullopt;
  return base64_decode(value.substr(begin));
}

// The other half of a Basic credential may not be one of its own: many APIs take a token from
// either.
bool is_harmless_password(std::string_view text) {
  return text.empty() || text == "x" || text == "x-oauth-basic";
}

bool is_harmless_user(std::string_view text) {
  constexpr std::size_t user_bytes_max = 39;
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";
  return text.size() <= user_bytes_max &&
         text.find_first_not_of(allowed) == std::string_view::npos && shape_of(text).prefix.empty();
}

// A credential that is a placeholder and nothing else: `<ph>`, `Bearer <ph>`, `token <ph>`, or the
// user or password half of Basic.
bool is_only_placeholder(std::string_view value) {
  const auto basic = basic_credentials(value);
  const std::string_view text = basic ? std::string_view(*basic) : value;
  const auto span = find_placeholder(text);
  if (!span) return false;
  const std::string_view before = text.substr(0, span->begin);
  const std::string_view behind = text.substr(span->end);
  if (basic) {
    if (before.empty() && behind.starts_with(':')) return is_harmless_password(behind.substr(1));
    return behind.empty() && before.ends_with(':') &&
           is_harmless_user(before.substr(0, before.size() - 1));
  }
  if (!behind.empty()) return false;
  return before.empty() ||
         (before.ends_with(' ') &&
          before.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") ==
              before.size() - 1);
}

constexpr std::array<std::string_view, 21> credential_parameters = {"access_token",
                                                                    "api_key",
                                                                    "apikey",
                                                                    "api-key",
                                                                    "x-api-key",
                                                                    "private_token",
                                                                    "auth_token",
                                                                    "oauth_token",
                                                                    "token",
                                                                    "key",
                                                                    "auth",
                                                                    "sig",
                                                                    "signature",
                                                                    "x-amz-signature",
                                                                    "x-amz-credential",
                                                                    "x-amz-security-token",
                                                                    "x-goog-signature",
                                                                    "x-goog-credential",
                                                                    "awsaccesskeyid",
                                                                    "subscription-key",
                                                                    "client_secret"};

using syntax::lower;

class Planner {
 public:
  Planner(const GrantTable& grants, const Addressed& addressed)
      : grants_(grants), addressed_(addressed) {}

  std::optional<SecretRefusal> look_at(const Spot& spot, std::string_view text) {
    if (auto refusal = look_at_text(spot, text, true)) return refusal;
    if (spot.kind == Spot::Kind::field) {
      if (const auto basic = basic_credentials(text)) {
        const bool counts = spot.name == "authorization";
        if (auto refusal = look_at_text(spot, *basic, counts)) return refusal;
      }
    }
    // An encoded placeholder is not substituted, but it must not pass either.
    if (text.find('%') != std::string_view::npos)
      return look_at_text(spot, percent_decoded(text), false);
    return std::nullopt;
  }

  SecretPlan take() { return std::move(plan_); }

 private:
  std::optional<SecretRefusal> look_at_text(const Spot& spot, std::string_view text,
                                            bool substitutable) {
    for (auto span = find_placeholder(text); span; span = find_placeholder(text, span->end)) {
      const Grant* grant = grants_.find(text.substr(span->begin, span->end - span->begin));
      if (grant == nullptr) {
        return refuse(
            Reason::secret_scope,
            "this placeholder was not made for this sandbox; use the one in its environment",
            "foreign_placeholder");
      }
      if (!substitutable && is_counted(*grant, spot)) continue;
      if (auto refusal = check(*grant, spot, substitutable)) return refusal;
      count(*grant, spot);
    }
    return std::nullopt;
  }

  // The decoded view of a text shows the plain placeholders again.
  bool is_counted(const Grant& grant, const Spot& spot) const {
    const std::string in = text_of(spot);
    return std::any_of(plan_.uses.begin(), plan_.uses.end(),
                       [&](const PlannedUse& use) { return use.grant == &grant && use.in == in; });
  }

  std::optional<SecretRefusal> check(const Grant& grant, const Spot& spot,
                                     bool substitutable) const {
    const Target& target = addressed_.target;
    if (!grant.covers(target)) {
      if (grant.covers(target.host)) {
        return refuse(Reason::secret_insecure,
                      "a secret leaves over https only; use https:// for this host");
      }
      return refuse(
          Reason::secret_scope,
          "this secret is not for this host; its hosts stand under secrets in egret.yaml");
    }
    if (!substitutable || !allowed_at(grant, spot)) {
      return refuse(Reason::secret_location,
                    "a placeholder may not stand here; the places it counts in stand under secrets "
                    "(in:) in egret.yaml");
    }
    return std::nullopt;
  }

  void count(const Grant& grant, const Spot& spot) {
    std::string in = text_of(spot);
    for (PlannedUse& use : plan_.uses) {
      if (use.grant == &grant && use.in == in) {
        ++use.count;
        return;
      }
    }
    plan_.uses.push_back({&grant, std::move(in), 1});
  }

  const GrantTable& grants_;
  const Addressed& addressed_;
  SecretPlan plan_;
};

template <class Visit>  // visit(name, value, name=value)
void for_each_parameter(std::string_view query, Visit&& visit) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view piece = query.substr(0, end);
    const std::size_t equals = piece.find('=');
    visit(piece.substr(0, equals),
          equals == std::string_view::npos ? std::string_view() : piece.substr(equals + 1));
    if (end == std::string_view::npos) return;
    query.remove_prefix(end + 1);
  }
}

SecretRefusal foreign() {
  return refuse(Reason::foreign_credential,
                "at this host only the sandbox's own placeholder may be used as a credential; "
                "`foreign: allow` "
                "under the secret in egret.yaml lifts this");
}

// A field that carries credentials here: a well-known one, or one that a grant for this host names.
bool is_carrier(const GrantTable& grants, const Addressed& addressed, std::string_view name) {
  return is_credential_header(name) ||
         std::any_of(grants.grants().begin(), grants.grants().end(), [&](const Grant& grant) {
           return grant.covers(addressed.target) && grant.allows_header(name);
         });
}

// `a=<ph>; b=<ph>`: beside a placeholder no other cookie may stand.
bool is_only_placeholder_cookies(std::string_view value) {
  while (!value.empty()) {
    const std::size_t end = value.find(';');
    const std::string_view pair = value.substr(0, end);
    const std::size_t equals = pair.find('=');
    const std::string_view content =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    const auto span = find_placeholder(content);
    if (!span || span->begin != 0 || span->end != content.size()) return false;
    if (end == std::string_view::npos) return true;
    value.remove_prefix(end + 1);
  }
  return true;
}

std::optional<SecretRefusal> check_foreign(const GrantTable& grants, const Addressed& addressed,
                                           const RequestHead& head) {
  if (!grants.refuses_foreign(addressed.target.host)) return std::nullopt;
  bool cookies_planned = false;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    cookies_planned = cookies_planned || (head.fields[i].name == "cookie" &&
                                          find_placeholder(head.fields[i].value).has_value());
  }
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const auto field = head.fields[i];
    if (field.name == "cookie" && cookies_planned && !is_only_placeholder_cookies(field.value)) {
      return foreign();
    }
    if (field.name == "cookie" || field.name == "proxy-authorization" ||
        !is_carrier(grants, addressed, field.name))
      continue;
    if (!is_only_placeholder(field.value)) return foreign();
    if (head.fields.count(field.name) > 1) {
      return SecretRefusal{
          {400, {Reason::header_invalid, {}, "a credential field may stand only once"}}, {}};
    }
  }
  bool bad = false;
  for_each_parameter(addressed.path.query(), [&](std::string_view name, std::string_view value) {
    const bool carrier = std::find(credential_parameters.begin(), credential_parameters.end(),
                                   lower(percent_decoded(name))) != credential_parameters.end();
    bad = bad || (carrier && !is_only_placeholder(value));
  });
  if (bad) return foreign();
  return std::nullopt;
}

enum class Escape { none, percent };

std::string substituted(const GrantTable& grants, std::string_view text, Escape escape) {
  std::string out;
  std::size_t done = 0;
  for (auto span = find_placeholder(text); span; span = find_placeholder(text, span->end)) {
    const Grant* grant = grants.find(text.substr(span->begin, span->end - span->begin));
    if (grant == nullptr) continue;
    out += text.substr(done, span->begin - done);
    if (escape == Escape::percent) {
      std::string encoded = percent_encoded(grant->secret->reveal());
      out += encoded;
      wipe(encoded);
    } else {
      out += grant->secret->reveal();
    }
    done = span->end;
  }
  out += text.substr(done);
  return out;
}

std::string substituted_field(const GrantTable& grants, std::string_view value) {
  auto basic = basic_credentials(value);
  if (!basic || !find_placeholder(*basic)) return substituted(grants, value, Escape::none);
  std::string plain = substituted(grants, *basic, Escape::none);
  std::string out = "Basic " + base64_encode(plain);
  wipe(plain);
  return out;
}

}  // namespace

Result<SecretPlan, SecretRefusal> plan_secrets(const GrantTable& grants, const Addressed& addressed,
                                               const RequestHead& head) {
  Planner planner(grants, addressed);
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const auto field = head.fields[i];
    if (field.name == "proxy-authorization") continue;  // for the gate itself; never forwarded
    if (auto refusal = planner.look_at({Spot::Kind::field, field.name}, field.value))
      return *refusal;
    if (auto refusal = planner.look_at({Spot::Kind::field, "(name)"}, field.name)) return *refusal;
  }
  if (auto refusal = planner.look_at({Spot::Kind::path, {}}, addressed.path.path()))
    return *refusal;
  std::optional<SecretRefusal> refusal;
  for_each_parameter(addressed.path.query(), [&](std::string_view name, std::string_view value) {
    if (!refusal) refusal = planner.look_at({Spot::Kind::query, name}, value);
    if (!refusal) refusal = planner.look_at({Spot::Kind::query, "(name)"}, name);
  });
  if (refusal) return *refusal;
  if (auto strange = check_foreign(grants, addressed, head)) return *strange;
  SecretPlan plan = planner.take();
  plan.scans_response = grants.any_covers(addressed.target.host);
  const bool cookie_planned =
      std::any_of(plan.uses.begin(), plan.uses.end(),
                  [](const PlannedUse& use) { return use.in == "header:cookie"; });
  plan.drops_cookies = !cookie_planned && grants.refuses_foreign(addressed.target.host);
  return plan;
}

void inject_secrets(const GrantTable& grants, const SecretPlan& plan, RequestHead& head) {
  if (plan.uses.empty()) return;
  std::size_t room = head.fields.bytes() * 2;
  for (const PlannedUse& use : plan.uses)
    room += use.count * use.grant->secret->reveal().size() * 2;
  head.fields.reserve_more(room);
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const auto field = head.fields[i];
    const std::string in = "header:" + std::string(field.name);
    const bool planned = std::any_of(plan.uses.begin(), plan.uses.end(),
                                     [&](const PlannedUse& use) { return use.in == in; });
    if (!planned) continue;
    std::string value = substituted_field(grants, field.value);
    head.fields.set_value(i, value);
    head.fields.mark_sensitive(i);
    wipe(value);
  }
  const bool in_target = std::any_of(plan.uses.begin(), plan.uses.end(), [](const PlannedUse& use) {
    return use.in == "path" || use.in.starts_with("query:");
  });
  if (in_target) {
    std::string target = substituted(grants, head.target, Escape::percent);
    head.target.swap(target);
    head.sensitive_target = true;
  }
}

}  // namespace egret
