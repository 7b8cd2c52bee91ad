#include "config/schema/via.h"

#include <algorithm>

#include "config/schema/hosts.h"
#include "policy/target/address_class.h"
#include "policy/target/target.h"
#include "proxy/exchange/base64.h"
#include "proxy/exchange/percent.h"

namespace egret::schema {
namespace {

constexpr std::string_view example = "`http://corp:3128` or `http://user:password@corp:3128`";
constexpr std::string_view scheme = "http://";

// Words for a scheme that is not http. Only a known one is repeated: anything else may be a name
// or a password.
PatternFault scheme_fault(std::string_view url) {
  for (const std::string_view other : {"https://", "socks5://", "socks5h://", "socks4://"}) {
    if (!url.starts_with(other)) continue;
    return {"`via` cannot be a proxy of the kind `" + std::string(other) + "`",
            "write " + std::string(example) +
                "; TLS to the origins goes through an http:// proxy unread"};
  }
  return {"`via` does not begin with `http://`", "write " + std::string(example)};
}

bool is_percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdefABCDEF";
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
    if (i + 2 >= text.size() || digits.find(text[i + 1]) == std::string_view::npos ||
        digits.find(text[i + 2]) == std::string_view::npos)
      return false;
  }
  return true;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// RFC 7617: the user has no colon, neither has a control character.
Result<std::shared_ptr<const Secret>, PatternFault> basic_credentials(std::string_view userinfo) {
  const std::size_t colon = userinfo.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return PatternFault{"`via` has a user without a password, or a password without a user",
                        "write " + std::string(example)};
  }
  if (!is_percent_encoded(userinfo)) {
    return PatternFault{"a `%` in user or password of `via` begins no two hexadecimal digits",
                        "write `%25` for a percent sign itself"};
  }
  std::string user = percent_decoded(userinfo.substr(0, colon));
  std::string password = percent_decoded(userinfo.substr(colon + 1));
  std::string pair = user + ":" + password;
  const bool fit = user.find(':') == std::string::npos && !has_control(pair);
  std::string value = "Basic " + base64_encode(pair);
  wipe(user);
  wipe(password);
  wipe(pair);
  if (!fit) {
    wipe(value);
    return PatternFault{"user or password of `via` cannot be sent as Basic credentials",
                        "use a user without a colon, and no control characters in either"};
  }
  auto secret = Secret::from(std::move(value));
  if (!secret) return PatternFault{"the credentials of `via` are too long", "use shorter ones"};
  return std::make_shared<const Secret>(std::move(*secret));
}

std::optional<PatternFault> place_fault(const Result<Authority, TargetFault>& place,
                                        std::string_view written) {
  const bool port_wrong = !place && (place.error() == TargetFault::bad_port ||
                                     place.error() == TargetFault::missing_port);
  if (port_wrong || (place && !place->port)) {
    return PatternFault{port_wrong ? "the port of `via` is no port" : "`via` names no port",
                        "write it behind the host, such as :3128 or :8080"};
  }
  if (!place || written.substr(0, written.rfind(':')) != place->host.authority_text()) {
    return PatternFault{"the host of `via` is no host name in lower case and no address",
                        "write " + std::string(example)};
  }
  const auto& address = place->host.address();
  if (address && classify(*address) == AddressClass::metadata) {
    return PatternFault{"`via` is a cloud metadata address",
                        "name the proxy; that address is never dialled"};
  }
  return std::nullopt;
}

Result<ViaConfig, PatternFault> parse_via(std::string_view url) {
  if (!url.starts_with(scheme)) return scheme_fault(url);
  url.remove_prefix(scheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  if (url.find_first_of("/?#") != std::string_view::npos) {
    return PatternFault{"`via` has something behind its port",
                        "write " + std::string(example) + "; a `/` in the password is `%2F`"};
  }
  std::shared_ptr<const Secret> authorization;
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    auto credentials = basic_credentials(url.substr(0, at));
    if (!credentials) return credentials.error();
    authorization = std::move(*credentials);
    url.remove_prefix(at + 1);
  }
  auto place = parse_authority(url);
  if (auto fault = place_fault(place, url)) return std::move(*fault);
  return ViaConfig{std::move(place->host), *place->port, std::move(authorization), {}};
}

}  // namespace

void read_via(Context& context, const Node& node, OriginsConfig& origins) {
  const std::string* text = yaml::text_of(context.problems, node, example);
  if (text == nullptr) return;
  auto via = parse_via(*text);
  if (!via) {
    context.problems.add(node.mark, via.error().what, via.error().instead);
    return;
  }
  via->source = context.source_of(node.mark);
  origins.via = std::move(*via);
}

void read_bypass(Context& context, const Node& node, OriginsConfig& origins) {
  const auto items =
      yaml::list_of(context.problems, node, "`bypass: [\"*.corp.example\"]`", Empty::allowed);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    auto host = read_host(context, item, HostUse::deny);
    if (!host) continue;
    if (host->kind() == HostPattern::Kind::any) {
      context.problems.add(item.mark, "`*` bypasses the proxy for every host",
                           "remove `via` instead, or name the hosts");
    }
    origins.bypass.push_back(std::move(*host));
  }
}

}  // namespace egret::schema
