#include "proxy/session/connection.h"

#include <utility>

#include <openssl/ssl.h>

#include "proxy/session/exchange_session.h"
#include "proxy/session/listener.h"

namespace egret {
namespace {

constexpr std::chrono::seconds first_bytes_max{10};
constexpr std::chrono::seconds hello_max{10};
constexpr std::chrono::seconds linger_max{2};
constexpr std::size_t unidentified_max = 256;
constexpr std::size_t linger_bytes_max = 1024 * 1024;

// TLS record: fatal alert, unrecognized_name (112).
constexpr std::string_view alert_unrecognized_name("\x15\x03\x03\x00\x02\x02\x70", 7);

// Whether the first bytes are an HTTP method and its space; nothing while that cannot be said yet.
std::optional<bool> is_http(std::string_view bytes) {
  constexpr std::size_t method_bytes_max = 16;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == ' ') return i > 0;
    if (bytes[i] < 'A' || bytes[i] > 'Z' || i == method_bytes_max) return false;
  }
  return std::nullopt;
}

}  // namespace

Task<void> serve_connection(Worker& worker, std::shared_ptr<const ListenerFacts> listener,
                            StreamSocket socket, AttachmentPartPtr part) {
  const auto connection =
      std::make_shared<Connection>(worker, std::move(listener), std::move(socket), std::move(part));
  co_await connection->run();
}

Connection::Connection(Worker& worker, std::shared_ptr<const ListenerFacts> listener,
                       StreamSocket socket, AttachmentPartPtr part)
    : worker_(worker),
      listener_(std::move(listener)),
      part_(std::move(part)),
      sandbox_(listener_->sandbox),
      facts_{worker.new_id(), listener_->capture},
      stream_(std::move(socket), worker.deadlines()) {
  if (part_) part_->add(*this);
}

Connection::~Connection() {
  if (part_) part_->remove(*this);
  if (unidentified_) listener_->unidentified.fetch_sub(1);
  if (sandbox_) sandbox_->counts().connections.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::detached() {
  facts_.detached = true;
  stream_.reset();
}

// Whether there is room for one more connection of this sandbox, or of nobody yet.
bool Connection::counted_in() {
  if (sandbox_)
    return sandbox_->counts().connections.fetch_add(1, std::memory_order_relaxed) <
           sandbox_->limits().connections_max;
  unidentified_ = true;
  return listener_->unidentified.fetch_add(1) < unidentified_max;
}

Task<void> Connection::run() {
  if (!counted_in()) {
    co_await refuse_connection(Reason::limit_connections, nullptr);
    co_return;
  }
  if (transparent()) {
    co_await run_transparent();
  } else {
    co_await run_explicit();
  }
  // Every connection leaves a record, also one that asked for nothing (I06).
  if (!recorded_ && requests_ == 0) {
    const Target* target = settled_ ? &*settled_ : nullptr;
    co_await refuse_connection(Reason::client_gone, target);
  }
  co_await linger();
}

// The first bytes say what is spoken: TLS, HTTP, or something that only a tunnel rule lets pass.
Task<void> Connection::run_captured(std::optional<Host> host, std::uint16_t port) {
  if (host) {
    const Target target{Scheme::tcp, *host, port};
    const Verdict verdict = decide_tunnel(sandbox().snapshot()->policy, target);
    if (const auto* permit = std::get_if<Permit>(&verdict)) {
      co_await run_tunnel(*permit);
      co_return;
    }
  }
  stream_.limit(first_bytes_max);
  ClientHello hello;
  while (true) {
    if (buffer_.empty() || looks_like_tls(buffer_.view())) {
      const auto state = read_client_hello(buffer_.view(), hello);
      if (!state) {
        co_await refuse_tls(state.error().reason, nullptr);
        co_return;
      }
      if (*state == HelloState::complete) break;
      if (buffer_.full()) {
        co_await refuse_tls(Reason::tls_handshake_failed, nullptr);
        co_return;
      }
    } else {
      const std::optional<bool> http = is_http(buffer_.view());
      if (http == false) {
        co_await refuse_unspoken(host, port,
                                 port == 443 ? Reason::not_tls : Reason::protocol_denied);
        co_return;
      }
      const std::optional<Target> target =
          host ? std::optional(Target{Scheme::http, *host, port}) : std::nullopt;
      Ingress ingress;
      if (!http) {
        const StreamError more = co_await buffer_.fill(stream_);
        if (more == StreamError::none) continue;
        co_await refuse_unspoken(
            host, port, more == StreamError::timed_out ? Reason::limit_time : Reason::client_gone);
        co_return;
      }
      ingress.kind = transparent() ? Ingress::Kind::transparent_plain : Ingress::Kind::intercepted;
      ingress.port = port;
      if (!transparent()) ingress.settled = target;
      co_await serve_http(ingress);
      co_return;
    }
    const StreamError error = co_await buffer_.fill(stream_);
    if (error != StreamError::none) {
      co_await refuse_unspoken(
          host, port, error == StreamError::timed_out ? Reason::limit_time : Reason::client_gone);
      co_return;
    }
  }
  co_await run_tls(host, port, hello);
}

// A connection that carries no HTTP: where its target is refused anyway, that is what is said.
Task<void> Connection::refuse_unspoken(const std::optional<Host>& host, std::uint16_t port,
                                       Reason otherwise) {
  if (!host) {
    co_await refuse_connection(otherwise, nullptr);
    co_return;
  }
  const Target target{Scheme::tcp, *host, port};
  const SnapshotPtr snapshot = sandbox().snapshot();
  const auto refused =
      refuse_early(snapshot->policy, {port == 80 ? Scheme::http : Scheme::https, *host, port});
  const std::string rule = refused ? refused->rule : std::string();
  co_await refuse_connection(refused ? refused->reason : otherwise, &target, rule);
}

Task<void> Connection::run_tls(const std::optional<Host>& host, std::uint16_t port,
                               const ClientHello& hello) {
  std::optional<Host> named = host;
  if (hello.has_server_name) {
    auto name = Host::parse(hello.server_name);
    if (!name) {
      co_await refuse_tls(Reason::host_malformed, nullptr);
      co_return;
    }
    if (!transparent() && host && !(*name == *host)) {
      const Target target{Scheme::https, *host, port};
      co_await refuse_tls(Reason::sni_mismatch, &target);
      co_return;
    }
    named = std::move(*name);
  }
  if (!named) {
    co_await refuse_tls(Reason::sni_missing, nullptr);
    co_return;
  }
  const Target target{Scheme::https, *named, port};
  const SnapshotPtr snapshot = sandbox().snapshot();
  // A tunnel rule may name what only the SNI says.
  const Verdict tunnel = decide_tunnel(snapshot->policy, {Scheme::tcp, *named, port});
  if (const auto* permit = std::get_if<Permit>(&tunnel);
      permit != nullptr && hello.has_server_name) {
    co_await run_tunnel(*permit);
    co_return;
  }
  const std::optional<Denial> refused = refuse_early(snapshot->policy, target);
  if (refused && (named->is_address() || !hello.has_server_name || !sandbox().may_explain())) {
    co_await refuse_tls(refused->reason, &target);
    co_return;
  }
  settled_ = target;
  const bool accepted = co_await accept_tls(target, refused.has_value());
  if (!accepted) co_return;
  Ingress ingress;
  ingress.kind = Ingress::Kind::intercepted;
  ingress.settled = target;
  if (agreed_on_http2(stream_.ssl())) {
    co_await serve_http2(ingress);
  } else {
    co_await serve_http(ingress);
  }
  if (requests_ == 0 && refused)
    co_await refuse_connection(refused->reason, &target, refused->rule);
}

Task<bool> Connection::accept_tls(const Target& target, bool refused) {
  LeafCache& leaves = refused ? sandbox().refused_leaves() : sandbox().leaves();
  const auto leaf = leaves.leaf_for(target.host);
  if (!leaf) {
    co_await refuse_tls(Reason::internal, &target);
    co_return false;
  }
  stream_.unread(buffer_.view());
  buffer_.consume(buffer_.view().size());
  stream_.limit(hello_max);
  const auto shaken = co_await stream_.handshake(worker_.shared().client_tls.session(*leaf), true);
  if (!shaken) {
    // 46, 48: certificate_unknown, unknown_ca: the client does not trust the sandbox's CA, or pins.
    const bool distrust = shaken.error().alert_received == 48 ||
                          shaken.error().alert_received == 46 ||
                          shaken.error().alert_received == 42;
    co_await refuse_connection(
        Reason::tls_handshake_failed, &target, {},
        distrust ? "the client does not trust the sandbox's CA, or pins the certificate"
                 : "the TLS handshake was not completed");
    co_return false;
  }
  // Over a HelloRetryRequest the second hello must name the same host (ATTACKS C11).
  const char* name = SSL_get_servername(stream_.ssl(), TLSEXT_NAMETYPE_host_name);
  const auto again =
      name != nullptr ? Host::parse(name) : Host::parse(target.host.authority_text());
  if (!again || !(*again == target.host)) {
    co_await refuse_connection(Reason::sni_mismatch, &target);
    co_return false;
  }
  co_return true;
}

Task<void> Connection::serve_http(const Ingress& ingress) {
  Http1ClientConnection http(stream_, buffer_, worker_.shared().http1,
                             worker_.shared().client_timeouts);
  while (http.reusable()) {
    const auto client = co_await next_request(http);
    if (!client) co_return;
    ++requests_;
    ExchangeSession exchange(worker_, sandbox(), facts_, ingress, *client);
    co_await exchange.run();
  }
}

// Streams are served side by side; each holds on to the connection.
Task<void> Connection::serve_http2(const Ingress& ingress) {
  http2_ingress_ = ingress;
  http2_.emplace(stream_, worker_.shared().http2_clients, worker_.shared().client_timeouts,
                 [this](Http2ClientConnection::Arrival arrival) {
                   ++requests_;
                   spawn_on(worker_,
                            serve_stream(shared_from_this(), http2_ingress_, std::move(arrival)));
                 });
  const std::optional<WireFault> fault = co_await http2_->run();
  if (fault) {
    const Target* target = settled_ ? &*settled_ : nullptr;
    co_await refuse_connection(fault->reason, target, {}, fault->what);
  }
}

Task<void> Connection::serve_stream(std::shared_ptr<Connection> self, const Ingress& ingress,
                                    Http2ClientConnection::Arrival arrival) {
  const std::unique_ptr<ClientExchange> client = std::move(arrival.exchange);
  ExchangeSession exchange(self->worker_, self->sandbox(), self->facts_, ingress, *client);
  if (arrival.fault) {
    co_await exchange.run_malformed(*arrival.fault);
  } else {
    co_await exchange.run();
  }
}

// Null at the end of the connection; what is no request has been answered then.
Task<std::unique_ptr<ClientExchange>> Connection::next_request(Http1ClientConnection& http) {
  auto next = co_await http.next();
  if (auto* client = std::get_if<std::unique_ptr<ClientExchange>>(&next)) {
    co_return std::move(*client);
  }
  if (const auto* fault = std::get_if<WireFault>(&next)) co_await answer_malformed(*fault);
  co_return nullptr;
}

// Something that is no request we could decide about: one record, one answer, the end (I06).
Task<void> Connection::answer_malformed(const WireFault& fault) {
  ++requests_;
  const RequestHead unread;
  bool recorded = true;
  std::string id = facts_.id;
  if (sandbox_) {
    AuditScope audit(worker_, *sandbox_, facts_, unread);
    id = audit.id();
    const Admission none;
    const Refusal malformed = refusal_of(fault);
    recorded = co_await audit.deny(none, malformed);
  } else {
    co_await refuse_connection(fault.reason, nullptr);
  }
  const Refusal refusal =
      recorded ? refusal_of(fault) : refusal_of(Denial{Reason::audit_unavailable, {}, {}});
  const Reply reply =
      reply_to(refusal, {sandbox_ ? std::string_view(sandbox_->name()) : "", id, nullptr});
  co_await send_last_reply(stream_, reply);
}

Task<void> Connection::refuse_connection(Reason reason, const Target* target, std::string_view rule,
                                         std::string_view detail) {
  ConnectionRecord record;
  record.time = std::chrono::system_clock::now();
  record.id = facts_.id;
  if (sandbox_) {
    record.sandbox = sandbox_->name();
    if (reason != Reason::client_gone)
      sandbox_->counts().denials.fetch_add(1, std::memory_order_relaxed);
  }
  recorded_ = true;
  record.capture = facts_.capture;
  record.decision = AuditDecision::deny;
  record.reason = reason;
  record.rule = rule;
  record.target = target;
  record.address = original_address_;
  record.detail = detail;
  std::string body;
  render(record, body);
  co_await worker_.record(std::move(body));
}

Task<void> Connection::refuse_tls(Reason reason, const Target* target) {
  co_await refuse_connection(reason, target);
  stream_.limit(first_bytes_max);
  co_await stream_.write(alert_unrecognized_name);
}

// Lets the last answer reach a client that is still sending, instead of a reset.
Task<void> Connection::linger() {
  if (!stream_.is_open()) co_return;
  stream_.resume();
  stream_.limit(linger_max);
  co_await stream_.finish_writing();
  std::size_t left = linger_bytes_max;
  while (left > 0) {
    buffer_.consume(buffer_.view().size());
    const StreamError filled = co_await buffer_.fill(stream_);
    if (filled != StreamError::none) break;
    left -= std::min(left, buffer_.view().size());
  }
  stream_.close();
}

}  // namespace egret
