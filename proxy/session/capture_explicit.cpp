#include <utility>

#include "proxy/exchange/base64.h"
#include "proxy/session/connection.h"
#include "proxy/session/exchange_session.h"

namespace egret {
namespace {

constexpr std::chrono::seconds first_bytes_max{60};
constexpr std::chrono::seconds socks_max{10};

// A refused name is told so in words where HTTP or TLS can be expected to follow; elsewhere at
// once.
bool can_be_told_inside(const Target& target) {
  return !target.host.is_address() && (target.port == 443 || target.port == 80);
}

// The denial that both http and https to this authority get, or nothing.
std::optional<Denial> refused_whatever(const Policy& policy, const Host& host, std::uint16_t port) {
  auto denial = refuse_early(policy, {Scheme::https, host, port});
  if (!denial || !refuse_early(policy, {Scheme::http, host, port})) return std::nullopt;
  return denial;
}

}  // namespace

Task<void> Connection::run_explicit() {
  stream_.limit(first_bytes_max);
  const StreamError first = co_await buffer_.fill(stream_);
  if (first != StreamError::none) co_return;
  switch (buffer_.view().front()) {
    case '\x05':
      co_await run_socks();
      break;
    case '\x04':
      co_await refuse_connection(Reason::protocol_denied, nullptr, {},
                                 "SOCKS4 is not spoken here; use SOCKS5");
      break;
    case '\x16':
      co_await refuse_connection(Reason::protocol_denied, nullptr, {},
                                 "TLS to the proxy itself: the proxy URL begins with http://");
      break;
    default:
      co_await run_proxy_http();
  }
}

bool Connection::identify(std::string_view user, std::string_view token) {
  auto found =
      worker_.shared().sandbox_named ? worker_.shared().sandbox_named(user, token) : nullptr;
  if (!found) return false;
  if (sandbox_) return sandbox_ == found;
  if (found->counts().connections.load(std::memory_order_relaxed) >=
      found->limits().connections_max)
    return false;
  sandbox_ = std::move(found);
  listener_->unidentified.fetch_sub(1);
  unidentified_ = false;
  return counted_in();
}

// Where the listener does not say whose it is, Proxy-Authorization does (RFC 7617).
Task<bool> Connection::identify(ClientExchange& client) {
  if (listener_->sandbox) co_return true;
  Reason reason = Reason::identity_missing;
  if (const auto field = client.head().fields.find("proxy-authorization")) {
    const std::size_t space = field->find(' ');
    const auto plain =
        space == std::string_view::npos ? std::nullopt : base64_decode(field->substr(space + 1));
    const std::size_t colon = plain ? plain->find(':') : std::string::npos;
    if (colon != std::string::npos) {
      const std::string_view text = *plain;
      if (identify(text.substr(0, colon), text.substr(colon + 1))) co_return true;
    }
    if (sandbox_) reason = Reason::identity_mismatch;
  }
  co_await refuse_connection(reason, nullptr);
  const Reply reply = reply_to(refusal_of(reason), {"", facts_.id, nullptr});
  co_await send_last_reply(stream_, reply);
  co_return false;
}

Task<void> Connection::run_proxy_http() {
  Http1ClientConnection http(stream_, buffer_, worker_.shared().http1,
                             worker_.shared().client_timeouts);
  Ingress ingress;
  while (http.reusable()) {
    const auto client = co_await next_request(http);
    if (!client) co_return;
    const bool identified = co_await identify(*client);
    if (!identified) co_return;
    if (client->head().method == "CONNECT") {
      co_await run_connect(*client);
      co_return;
    }
    ++requests_;
    ExchangeSession exchange(worker_, sandbox(), facts_, ingress, *client);
    co_await exchange.run();
  }
}

Task<void> Connection::run_connect(ClientExchange& client) {
  facts_.capture =
      listener_->capture == Capture::unix_socket ? Capture::unix_socket : Capture::connect;
  Admission admission;
  AuditScope audit(worker_, sandbox(), facts_, client.head());
  std::optional<Refusal> refusal;
  const auto authority = parse_authority(client.head().target);
  const auto host_field = client.head().fields.find("host");
  if (client.request_length().kind != BodyLength::Kind::none) {
    refusal = refusal_of(WireFault{400, Reason::framing_invalid, "a CONNECT request has no body"});
  } else if (!authority || !authority->port) {
    refusal = Refusal{400,
                      {Reason::host_malformed,
                       {},
                       std::string(authority ? describe(TargetFault::missing_port)
                                             : describe(authority.error()))}};
  } else if (host_field) {
    const auto named = parse_authority(*host_field);
    const bool same =
        named && named->host == authority->host && (!named->port || named->port == authority->port);
    if (!same) refusal = Refusal{400, {Reason::authority_mismatch, {}, {}}};
  }
  std::optional<Target> target;
  if (!refusal) {
    target = Target{Scheme::https, authority->host, *authority->port};
    auto denial = refused_whatever(sandbox().snapshot()->policy, target->host, target->port);
    if (denial && !can_be_told_inside(*target)) refusal = refusal_of(std::move(*denial));
  }
  if (refusal) {
    auto path = RequestPath::parse("/");
    if (target) admission.addressed = Addressed{*target, std::move(*path)};
    ++requests_;
    const bool recorded = co_await audit.deny(admission, *refusal);
    if (!recorded) refusal = refusal_of(Reason::audit_unavailable);
    const Reply reply =
        reply_to(*refusal, {sandbox().name(), audit.id(), target ? &*target : nullptr});
    co_await send_last_reply(stream_, reply);
    co_return;
  }
  audit.dismiss();
  co_await stream_.write("HTTP/1.1 200 Connection established\r\n\r\n");
  co_await run_captured(target->host, target->port);
}

Task<void> Connection::run_socks() {
  facts_.capture =
      listener_->capture == Capture::unix_socket ? Capture::unix_socket : Capture::socks5;
  Socks5Server socks(listener_->sandbox ? Socks5Server::Auth::none : Socks5Server::Auth::password);
  stream_.limit(socks_max);
  while (true) {
    auto progress = socks.feed(buffer_.view());
    if (!progress) {
      co_await refuse_connection(progress.error().reason, nullptr, {}, progress.error().what);
      co_await stream_.write(socks.fault_reply());
      co_return;
    }
    buffer_.consume(progress->consumed);
    if (!progress->reply.empty()) co_await stream_.write(progress->reply);
    if (progress->need_check) {
      // On a listener that is a sandbox's own, credentials are not needed and not looked at.
      const SocksCredentials& given = *socks.credentials();
      const bool known = listener_->sandbox || identify(given.user, given.password);
      co_await stream_.write(socks.authenticated(known));
      if (!known) {
        co_await refuse_connection(Reason::identity_missing, nullptr);
        co_return;
      }
      continue;
    }
    if (progress->ready) break;
    if (buffer_.empty() || progress->consumed == 0) {
      const StreamError filled = co_await buffer_.fill(stream_);
      if (filled != StreamError::none) co_return;
    }
  }
  const Target target{Scheme::https, socks.request()->authority.host,
                      *socks.request()->authority.port};
  const auto denial = refused_whatever(sandbox().snapshot()->policy, target.host, target.port);
  if (denial && !can_be_told_inside(target)) {
    co_await refuse_connection(denial->reason, &target, denial->rule);
    co_await stream_.write(Socks5Server::reply_to_request(SocksReply::not_allowed));
    co_return;
  }
  co_await stream_.write(Socks5Server::reply_to_request(SocksReply::succeeded));
  co_await run_captured(target.host, target.port);
}

}  // namespace egret
