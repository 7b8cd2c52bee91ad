#include "proxy/io/upstream_proxy.h"

#include <algorithm>
#include <array>

#include "policy/target/address_class.h"
#include "proxy/wire/http1.h"

namespace egret {
namespace {

constexpr unsigned interim_max = 4;

RequestHead connect_request(const UpstreamProxy& proxy, const Target& target) {
  RequestHead head;
  head.method = "CONNECT";
  head.target = target.host.authority_text() + ":" + std::to_string(target.port);
  head.form = TargetForm::authority;
  head.fields.add("host", head.target);
  if (proxy.authorization) head.fields.add("proxy-authorization", proxy.authorization->reveal());
  return head;
}

Task<StreamError> send_connect(Stream& stream, const UpstreamProxy& proxy, const Target& target) {
  RequestHead head = connect_request(proxy, target);
  std::string out;
  out.reserve(256 + head.fields.bytes());
  append_request_head(out, head, BodyLength());
  head.fields.wipe();
  const StreamError error = co_await stream.write(out);
  wipe(out);
  co_return error;
}

// So many octets are missing at least until the head ends: none of the tunnel's is among them.
std::size_t octets_missing(std::string_view head) {
  constexpr std::string_view end = "\r\n\r\n";
  for (std::size_t have = end.size() - 1; have > 0; --have) {
    if (head.ends_with(end.substr(0, have))) return end.size() - have;
  }
  return end.size();
}

Refusal broken(StreamError error) {
  if (error == StreamError::timed_out) {
    return proxy_refusal(Reason::upstream_timeout,
                         "the upstream proxy (origins.via) did not answer CONNECT in time");
  }
  return proxy_refusal(
      Reason::upstream_unreachable,
      "the upstream proxy (origins.via) ended the connection before it had answered CONNECT");
}

Refusal malformed() {
  return proxy_refusal(Reason::upstream_unreachable,
                       "the answer of the upstream proxy (origins.via) to CONNECT is not valid "
                       "HTTP; does an HTTP proxy listen there?");
}

Task<Result<ResponseHead, Refusal>> read_head(Stream& stream) {
  const Http1Limits limits;
  std::string text;
  std::size_t scanned = 0;
  while (!find_head_end(text, scanned)) {
    if (text.size() >= limits.head_bytes_max) co_return malformed();
    std::array<char, 4> piece{};
    const std::span<char> into(piece.data(), octets_missing(text));
    const ReadResult got = co_await stream.read_some(into);
    if (got.error != StreamError::none) co_return broken(got.error);
    text.append(piece.data(), got.bytes);
  }
  ResponseHead head;
  const auto parsed = parse_response_head(text, limits, head);
  if (!parsed) co_return malformed();
  co_return head;
}

Refusal refused(int status) {
  if (status == 407) return proxy_refusal(Reason::upstream_unreachable, proxy_denies_credentials);
  const std::string answer =
      "the upstream proxy (origins.via) answered CONNECT with status " + std::to_string(status);
  if (status == 504) return proxy_refusal(Reason::upstream_timeout, answer);
  return proxy_refusal(Reason::upstream_unreachable,
                       answer + "; it may not allow this host or port, or not reach it");
}

// A client speaks first in HTTP and TLS: what is there already is not from the origin.
bool nothing_behind(const Stream& stream, const Target& target) {
  return target.scheme == Scheme::tcp || stream.quiet();
}

}  // namespace

Refusal proxy_refusal(Reason reason, std::string_view what) {
  return refusal_of(Denial{reason, {}, std::string(what)});
}

bool UpstreamProxy::passes_by(const Host& target,
                              const std::vector<CheckedAddress>& addresses) const {
  return std::any_of(bypass.begin(), bypass.end(), [&](const HostPattern& pattern) {
    if (pattern.matches(target)) return true;
    if (!pattern.range() || addresses.empty()) return false;
    return std::all_of(addresses.begin(), addresses.end(), [&](const CheckedAddress& one) {
      return pattern.range()->contains(unwrapped(one.address()));
    });
  });
}

bool is_own_listener(const SocketAddress& address,
                     const std::vector<SocketAddress>& own_listeners) {
  return std::any_of(own_listeners.begin(), own_listeners.end(), [&](const SocketAddress& own) {
    if (own.port != address.port) return false;
    if (own.address == address.address) return true;
    if (classify(own.address) != AddressClass::unspecified) return false;
    const auto here = interface_addresses();
    return classify(address.address) == AddressClass::loopback ||
           std::find(here.begin(), here.end(), address.address) != here.end();
  });
}

Task<Result<void, Refusal>> open_tunnel(Stream& stream, const UpstreamProxy& proxy,
                                        const Target& target, std::chrono::milliseconds time_max) {
  stream.limit(time_max);
  const StreamError sent = co_await send_connect(stream, proxy, target);
  if (sent != StreamError::none) co_return broken(sent);
  for (unsigned interim = 0; interim <= interim_max; ++interim) {
    const auto head = co_await read_head(stream);
    if (!head) co_return head.error();
    if (head->status < 200 && head->status != 101) continue;
    if (head->status < 200 || head->status > 299) co_return refused(head->status);
    if (!nothing_behind(stream, target)) {
      co_return proxy_refusal(Reason::upstream_unreachable,
                              "the upstream proxy (origins.via) sent something of its own behind "
                              "its answer to CONNECT, or closed");
    }
    stream.no_limit();
    co_return Result<void, Refusal>();
  }
  co_return malformed();
}

}  // namespace egret
