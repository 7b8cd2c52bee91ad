#include "proxy/io/dialer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <openssl/ssl.h>

#include "policy/target/address_class.h"

namespace egret {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t dialled_max = 32;  // of a name's addresses

// Why a name led nowhere, for the reply; that it has no address is what the reason says by itself.
std::string_view hint_of(ResolveFault fault) {
  switch (fault) {
    case ResolveFault::no_such_name:
      return "";
    case ResolveFault::timed_out:
      return "DNS did not answer in time for this name";
    case ResolveFault::failed:
      break;
  }
  return "DNS gave no usable answer for this name";
}

StreamSocket::endpoint_type endpoint_of(const SocketAddress& place) {
  const IpAddress& address = place.address;
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type bytes{};
    std::copy_n(address.bytes().begin(), bytes.size(), bytes.begin());
    return asio::ip::tcp::endpoint(asio::ip::address_v4(bytes), place.port);
  }
  asio::ip::address_v6::bytes_type bytes{};
  std::copy_n(address.bytes().begin(), bytes.size(), bytes.begin());
  return asio::ip::tcp::endpoint(asio::ip::address_v6(bytes), place.port);
}

// RFC 8305 4: alternate families, beginning with the one that DNS gave first.
void interleave(std::vector<CheckedAddress>& addresses) {
  std::vector<CheckedAddress> first;
  std::vector<CheckedAddress> second;
  const bool family = addresses.front().address().is_v4();
  for (const CheckedAddress& address : addresses)
    (address.address().is_v4() == family ? first : second).push_back(address);
  addresses.clear();
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) addresses.push_back(first[i]);
    if (i < second.size()) addresses.push_back(second[i]);
  }
}

// What the attempts of one race share; each attempt owns a reference, so that a loser may end late.
struct Race {
  explicit Race(asio::io_context& context) : changed(context) {}
  asio::steady_timer changed;
  std::vector<std::shared_ptr<StreamSocket>> sockets;
  std::shared_ptr<StreamSocket> winner;
  std::size_t winner_index = 0;
  std::size_t running = 0;
};

Task<void> attempt(std::shared_ptr<Race> race, std::shared_ptr<StreamSocket> socket,
                   StreamSocket::endpoint_type endpoint, std::size_t index) {
  error_code error;
  co_await socket->async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
  --race->running;
  if (!error && !race->winner) {
    race->winner = socket;
    race->winner_index = index;
  }
  race->changed.cancel();
}

}  // namespace

Dialer::Dialer(asio::io_context& context, Deadlines& wheel, Resolver& resolver,
               OriginSessions& sessions, DialLimits limits, DialRoute route)
    : context_(context),
      wheel_(wheel),
      resolver_(resolver),
      sessions_(sessions),
      limits_(limits),
      route_(std::move(route)) {}

Task<Result<std::vector<CheckedAddress>, Refusal>> Dialer::locate(const Permit& permit,
                                                                  const AddressRules& rules) {
  auto checked = co_await look_up(permit, rules);
  if (!checked) co_return checked;
  for (const CheckedAddress& one : *checked) {
    if (is_own_listener({one.address(), one.port()}, route_.own_listeners))
      co_return refusal_of(Reason::loop);
  }
  co_return checked;
}

Task<Result<std::vector<CheckedAddress>, Refusal>> Dialer::look_up(const Permit& permit,
                                                                   const AddressRules& rules) {
  std::vector<CheckedAddress> checked;
  if (const ResolvePin* pin = pin_for(rules, permit.target().host)) {
    auto address = check_pin(permit, *pin);
    if (!address) co_return refusal_of(address.error());
    checked.push_back(*address);
    co_return checked;
  }
  const auto resolved = co_await resolver_.resolve(permit.target().host);
  if (!resolved) {
    const Denial failed{Reason::dns_failed, {}, std::string(hint_of(resolved.error()))};
    co_return refusal_of(failed);
  }
  // One forbidden address among them refuses the name: which one is dialled must not be luck (B05).
  for (const IpAddress& address : *resolved) {
    auto one = check_address(permit, rules, address);
    if (!one) co_return refusal_of(one.error());
    checked.push_back(*one);
  }
  interleave(checked);
  if (checked.size() > dialled_max)
    checked.erase(checked.begin() + std::ptrdiff_t{dialled_max}, checked.end());
  co_return checked;
}

const UpstreamProxy* Dialer::proxy_for(const Permit& permit,
                                       const std::vector<CheckedAddress>& addresses) const {
  if (!route_.proxy || route_.proxy->passes_by(permit.target().host, addresses)) return nullptr;
  return route_.proxy.get();
}

std::string Dialer::first_address(const Permit& permit,
                                  const std::vector<CheckedAddress>& addresses) const {
  const UpstreamProxy* proxy = proxy_for(permit, addresses);
  if (proxy == nullptr) return addresses.front().address().text();
  return proxy->host.is_address() ? proxy->host.text() : std::string();
}

Task<std::unique_ptr<Stream>> Dialer::race(const std::vector<SocketAddress>& addresses,
                                           std::string& winner) {
  const auto race = std::make_shared<Race>(context_);
  const auto give_up = Clock::now() + limits_.connect_max;
  std::size_t next = 0;
  while (!race->winner && Clock::now() < give_up &&
         (next < addresses.size() || race->running > 0)) {
    if (next < addresses.size()) {
      auto socket = std::make_shared<StreamSocket>(context_);
      race->sockets.push_back(socket);
      ++race->running;
      asio::co_spawn(context_, attempt(race, socket, endpoint_of(addresses[next]), next),
                     asio::detached);
      ++next;
    }
    race->changed.expires_at(next < addresses.size()
                                 ? std::min(give_up, Clock::now() + limits_.next_address_after)
                                 : give_up);
    error_code ignored;
    co_await race->changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  for (const auto& socket : race->sockets) {
    error_code ignored;
    if (socket != race->winner) socket->close(ignored);
  }
  if (!race->winner) co_return nullptr;
  winner = addresses[race->winner_index].address.text();
  const int on = 1;
  ::setsockopt(race->winner->native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  co_return std::make_unique<Stream>(std::move(*race->winner), wheel_);
}

// The operator's own choice, so it needs no permit; but never the gate itself.
Task<Result<OriginStream, Refusal>> Dialer::dial_proxy() {
  const UpstreamProxy& proxy = *route_.proxy;
  const auto resolved = co_await resolver_.resolve(proxy.host);
  std::vector<SocketAddress> places;
  if (resolved) {
    for (const IpAddress& address : *resolved) {
      if (is_own_listener({address, proxy.port}, route_.own_listeners))
        co_return proxy_refusal(Reason::loop, "origins.via leads back to this gate");
      if (classify(unwrapped(address)) != AddressClass::metadata)
        places.push_back({address, proxy.port});
    }
  }
  if (places.empty()) {
    co_return proxy_refusal(Reason::upstream_unreachable,
                            "the name of the upstream proxy (origins.via) has no address in DNS");
  }
  OriginStream origin;
  origin.stream = co_await race(places, origin.address);
  if (!origin.stream) {
    co_return proxy_refusal(Reason::upstream_unreachable,
                            "no connection to the upstream proxy (origins.via) could be made");
  }
  co_return origin;
}

// To where the origin can be spoken to. Through a proxy that is a tunnel; only plain http is asked
// of the proxy itself, and of that no upgrade (RFC 6455 4.1).
Task<Result<OriginStream, Refusal>> Dialer::dial(const Permit& permit,
                                                 const std::vector<CheckedAddress>& addresses,
                                                 HttpOffer offer) {
  if (proxy_for(permit, addresses) == nullptr) {
    std::vector<SocketAddress> places;
    for (const CheckedAddress& checked : addresses)
      places.push_back({checked.address(), checked.port()});
    OriginStream origin;
    origin.stream = co_await race(places, origin.address);
    if (!origin.stream) co_return refusal_of(Reason::upstream_unreachable);
    co_return origin;
  }
  auto origin = co_await dial_proxy();
  if (!origin) co_return origin;
  if (permit.target().scheme == Scheme::http && offer == HttpOffer::http2_and_http1) {
    origin->proxy = route_.proxy;
    co_return origin;
  }
  const auto opened =
      co_await open_tunnel(*origin->stream, *route_.proxy, permit.target(), limits_.proxy_max);
  if (!opened) co_return opened.error();
  co_return origin;
}

Task<Result<OriginStream, Refusal>> Dialer::connect(const Permit& permit,
                                                    const std::vector<CheckedAddress>& addresses,
                                                    const OriginTls* tls, std::string pool_key,
                                                    HttpOffer offer) {
  auto dialled = co_await dial(permit, addresses, offer);
  if (!dialled || permit.target().scheme != Scheme::https) co_return dialled;
  OriginStream origin = std::move(*dialled);
  if (tls == nullptr) co_return refusal_of(Reason::upstream_tls);
  origin.sink = std::make_unique<SessionSink>(SessionSink{&sessions_, std::move(pool_key)});
  SslPtr ssl = tls->session(permit.target().host, *origin.sink, offer);
  if (!ssl) co_return refusal_of(Reason::upstream_tls);
  origin.stream->limit(limits_.tls_max);
  const auto shaken = co_await origin.stream->handshake(std::move(ssl), false);
  if (!shaken) {
    const bool slow = shaken.error().error == StreamError::timed_out;
    co_return refusal_of(slow ? Reason::upstream_timeout : Reason::upstream_tls);
  }
  // Again on every handshake: a resumed one reports the verification of the first (ATTACKS C03).
  SSL* done = origin.stream->ssl();
  const bool proved = SSL_get_verify_result(done) == X509_V_OK &&
                      SSL_get0_peer_certificate(done) != nullptr &&
                      certificate_is_for(SSL_get0_peer_certificate(done), permit.target().host);
  if (!proved) co_return refusal_of(Reason::upstream_tls);
  co_return origin;
}

}  // namespace egret
