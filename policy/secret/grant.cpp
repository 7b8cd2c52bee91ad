#include "policy/secret/grant.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace egret {
namespace {

bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_parameter_char(char c) {
  return is_token_char(c) ? std::string_view("#%&+'").find(c) == std::string_view::npos
                          : (c >= 'A' && c <= 'Z') || c == '[' || c == ']';
}

// Fields that the gate writes itself, or that never reach an origin.
constexpr std::string_view gate_fields[] = {
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
};

constexpr std::string_view credential_headers[] = {
    "access-token",
    "api-key",
    "api-token",
    "apikey",
    "auth-token",
    "authorization",
    "circle-token",
    "cookie",
    "dd-api-key",
    "dd-application-key",
    "deploy-token",
    "job-token",
    "ocp-apim-subscription-key",
    "private-token",
    "proxy-authorization",
    "token",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-api-token",
    "x-apikey",
    "x-auth-key",
    "x-auth-token",
    "x-consul-token",
    "x-figma-token",
    "x-functions-key",
    "x-gitlab-token",
    "x-goog-api-key",
    "x-rapidapi-key",
    "x-shopify-access-token",
    "x-subscription-token",
    "x-token",
    "x-vault-token",
    "xi-api-key",
};

template <std::size_t N>
bool holds(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

Result<Place, PatternFault> parse_header(std::string_view name) {
  Place place{PlaceKind::header, std::string(name)};
  for (char& c : place.name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (place.name.empty() || !std::all_of(place.name.begin(), place.name.end(), is_token_char)) {
    return PatternFault{"`header:` is followed by no field name", "write `header:x-api-key`"};
  }
  if (holds(gate_fields, place.name)) {
    return PatternFault{"`" + place.name + "` is a field that the gate writes itself",
                        "name the field that carries the credential, such as `header:x-api-key`"};
  }
  return place;
}

}  // namespace

Result<Place, PatternFault> Place::parse(std::string_view text) {
  if (text == "header") return Place{PlaceKind::credential_headers, {}};
  if (text == "path") return Place{PlaceKind::path, {}};
  if (text == "body") return Place{PlaceKind::body, {}};
  if (text == "websocket") return Place{PlaceKind::websocket, {}};
  if (text.starts_with("header:")) return parse_header(text.substr(7));
  if (text.starts_with("query:")) {
    const std::string_view name = text.substr(6);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_parameter_char)) {
      return PatternFault{"`query:` is followed by no parameter name", "write `query:key`"};
    }
    return Place{PlaceKind::query, std::string(name)};
  }
  return PatternFault{"this is no place for a placeholder",
                      "write `header`, `header:NAME`, `query:NAME`, `path`, `body` or `websocket`"};
}

std::string Place::text() const {
  switch (kind) {
    case PlaceKind::credential_headers:
      return "header";
    case PlaceKind::header:
      return "header:" + name;
    case PlaceKind::query:
      return "query:" + name;
    case PlaceKind::path:
      return "path";
    case PlaceKind::body:
      return "body";
    case PlaceKind::websocket:
      return "websocket";
  }
  return "header";
}

bool is_credential_header(std::string_view lower_case_name) {
  return holds(credential_headers, lower_case_name);
}

bool Grant::covers(const Target& target) const {
  return target.scheme == Scheme::https && covers(target.host);
}

bool Grant::covers(const Host& host) const {
  return std::any_of(hosts.begin(), hosts.end(),
                     [&](const HostPattern& pattern) { return pattern.matches(host); });
}

bool Grant::has(PlaceKind kind) const {
  return std::any_of(places.begin(), places.end(),
                     [&](const Place& place) { return place.kind == kind; });
}

bool Grant::allows_header(std::string_view lower_case_name) const {
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    if (place.kind == PlaceKind::header) return place.name == lower_case_name;
    return place.kind == PlaceKind::credential_headers && is_credential_header(lower_case_name);
  });
}

bool Grant::allows_query(std::string_view parameter_name) const {
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return place.kind == PlaceKind::query && place.name == parameter_name;
  });
}

GrantTable::GrantTable(std::vector<Grant> grants) : grants_(std::move(grants)) {}

const Grant* GrantTable::find(std::string_view placeholder_text) const {
  for (const Grant& grant : grants_) {
    if (grant.placeholder.text() == placeholder_text) return &grant;
  }
  return nullptr;
}

bool GrantTable::any_covers(const Host& host) const {
  return std::any_of(grants_.begin(), grants_.end(),
                     [&](const Grant& grant) { return grant.covers(host); });
}

bool GrantTable::refuses_foreign(const Host& host) const {
  return std::any_of(grants_.begin(), grants_.end(), [&](const Grant& grant) {
    return grant.foreign == Foreign::refuse && grant.covers(host);
  });
}

}  // namespace egret
