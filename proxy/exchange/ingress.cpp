#include "proxy/exchange/ingress.h"

#include <utility>

namespace egret {
namespace {

Refusal malformed(Reason reason, std::string hint) {
  return {400, {reason, {}, std::move(hint)}};
}

Refusal mismatch(const Ingress& ingress) {
  // On a connection whose name is settled another name is misdirected; elsewhere it is ambiguous.
  const int status = ingress.kind == Ingress::Kind::intercepted ? 421 : 400;
  return {status, {Reason::authority_mismatch, {}, {}}};
}

struct Uri {
  Scheme scheme;
  std::string_view authority;
  std::string path;
};

bool starts_with_folded(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

Result<Uri, Refusal> split_absolute(std::string_view text) {
  Scheme scheme = Scheme::http;
  std::size_t skip = 0;
  if (starts_with_folded(text, "http://")) {
    skip = 7;
  } else if (starts_with_folded(text, "https://")) {
    scheme = Scheme::https;
    skip = 8;
  } else {
    return malformed(Reason::scheme_not_allowed, "only http:// and https:// can be proxied");
  }
  text.remove_prefix(skip);
  const std::size_t end = text.find_first_of("/?");
  Uri uri{scheme, text.substr(0, end), "/"};
  if (end != std::string_view::npos) {
    uri.path =
        text[end] == '?' ? "/" + std::string(text.substr(end)) : std::string(text.substr(end));
  }
  return uri;
}

Result<Target, Refusal> target_from(std::string_view authority_text, Scheme scheme) {
  const auto authority = parse_authority(authority_text);
  if (!authority)
    return malformed(Reason::host_malformed, std::string(describe(authority.error())));
  return Target{scheme, authority->host, authority->port.value_or(default_port(scheme))};
}

Result<Addressed, Refusal> with_path(Target target, std::string_view text) {
  auto path = RequestPath::parse(text);
  if (!path) {
    const bool long_one = path.error() == PathFault::too_long;
    return Refusal{long_one ? 414 : 400,
                   {long_one ? Reason::limit_uri_bytes : Reason::path_noncanonical,
                    {},
                    std::string(describe(path.error()))}};
  }
  return Addressed{std::move(target), std::move(*path)};
}

// The scheme that a request without one is meant to have here.
Scheme implied_scheme(const Ingress& ingress) {
  return ingress.kind == Ingress::Kind::intercepted ? ingress.settled->scheme : Scheme::http;
}

bool fits(const Ingress& ingress, const Target& target) {
  switch (ingress.kind) {
    case Ingress::Kind::explicit_proxy:
      return true;
    case Ingress::Kind::intercepted:
      return target == *ingress.settled;
    case Ingress::Kind::transparent_plain:
      return target.port == ingress.port;
  }
  return false;
}

}  // namespace

Result<Addressed, Refusal> address_request(const Ingress& ingress, const RequestHead& head) {
  const auto host_field = head.fields.find("host");
  if (head.form == TargetForm::absolute) {
    auto uri = split_absolute(head.target);
    if (!uri) return uri.error();
    if (uri->scheme != implied_scheme(ingress)) {
      return malformed(Reason::scheme_not_allowed,
                       "for https use CONNECT; the proxy takes no https:// request in the clear");
    }
    auto target = target_from(uri->authority, uri->scheme);
    if (!target) return target.error();
    if (host_field) {
      const auto host_target = target_from(*host_field, uri->scheme);
      if (!host_target) return host_target.error();
      if (!(*host_target == *target)) return mismatch(ingress);
    }
    if (!fits(ingress, *target)) return mismatch(ingress);
    return with_path(std::move(*target), uri->path);
  }
  if (head.form == TargetForm::authority) {
    return Refusal{405,
                   {Reason::method_not_allowed, {}, "CONNECT is not possible inside a tunnel"}};
  }
  if (ingress.kind == Ingress::Kind::explicit_proxy) {
    return malformed(Reason::framing_invalid,
                     "this is a proxy: send `GET http://host/path` or CONNECT, not a plain path");
  }
  if (!host_field) {
    if (ingress.kind != Ingress::Kind::intercepted)
      return malformed(Reason::host_malformed, "the request names no host");
    return with_path(*ingress.settled, head.target);
  }
  auto target = target_from(*host_field, implied_scheme(ingress));
  if (!target) return target.error();
  if (!fits(ingress, *target)) return mismatch(ingress);
  return with_path(std::move(*target), head.target);
}

}  // namespace egret
