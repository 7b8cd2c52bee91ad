#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "proxy/session/connection.h"

namespace egret {
namespace {

constexpr std::chrono::minutes idle_max{60};

// The records of one tunnel: its beginning, and on every path its end.
class TunnelAudit {
 public:
  TunnelAudit(Worker& worker, Sandbox& sandbox, const ConnectionFacts& facts, const Permit& permit,
              std::string address)
      : worker_(worker), address_(std::move(address)), started_(std::chrono::steady_clock::now()) {
    record_.id = facts.id;
    record_.sandbox = sandbox.name();
    record_.capture = facts.capture;
    record_.decision = AuditDecision::allow;
    record_.reason = Reason::rule;
    record_.rule = permit.rule();
    record_.target = &permit.target();
    record_.address = address_;
  }
  TunnelAudit(const TunnelAudit&) = delete;
  TunnelAudit& operator=(const TunnelAudit&) = delete;
  ~TunnelAudit() {
    if (!begun_) return;
    record_.end = true;
    record_.bytes_up = bytes_up;
    record_.bytes_down = bytes_down;
    if (error_) record_.error = name(*error_);
    record_.total_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_)
            .count();
    worker_.record_end(rendered());
  }

  Task<bool> begin() {
    begun_ = true;
    begun_ = co_await worker_.record(rendered());
    co_return begun_;
  }
  void failed(Reason reason) { error_ = reason; }

  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;

 private:
  std::string rendered() {
    record_.time = std::chrono::system_clock::now();
    std::string body;
    render(record_, body);
    return body;
  }
  Worker& worker_;
  std::string address_;
  std::chrono::steady_clock::time_point started_;
  ConnectionRecord record_;
  std::optional<Reason> error_;
  bool begun_ = false;
};

// An opaque relay: what `tunnel: true` opens, and nothing else does.
class Tunnel final : public LongLived {
 public:
  Tunnel(Worker& worker, Sandbox& sandbox, const Permit& permit, Stream& client,
         ReadBuffer& client_buffer, Stream& origin, TunnelAudit& audit)
      : worker_(worker),
        sandbox_(sandbox),
        permit_(permit),
        client_(client),
        client_buffer_(client_buffer),
        origin_(origin),
        audit_(audit) {
    worker_.add(*this);
  }
  ~Tunnel() { worker_.remove(*this); }

  Task<void> run() {
    using namespace asio::experimental::awaitable_operators;
    co_await (pump_up() && pump(origin_, client_, audit_.bytes_down));
  }

 private:
  void policy_changed() override {
    if (!client_.is_open()) {  // its namespace was detached
      end_with(Reason::client_gone);
      return;
    }
    if (std::holds_alternative<Permit>(
            decide_tunnel(sandbox_.snapshot()->policy, permit_.target())))
      return;
    end_with(Reason::policy_changed);
  }

  void end_with(Reason reason) {
    audit_.failed(reason);
    stop();
  }

  // A client that speaks TLS has to name the target, and in the clear: an encrypted hello could
  // name another host behind the same address. It is read whole before any of it leaves.
  Task<std::optional<Reason>> check_hello() {
    ClientHello hello;
    while (looks_like_tls(client_buffer_.view())) {
      const auto state = read_client_hello(client_buffer_.view(), hello);
      if (!state || client_buffer_.full()) co_return Reason::tls_handshake_failed;
      if (*state == HelloState::complete) {
        if (hello.has_ech) co_return Reason::sni_mismatch;
        if (!hello.has_server_name) {
          if (permit_.target().host.is_address()) co_return std::nullopt;
          co_return Reason::sni_missing;
        }
        const auto name = Host::parse(hello.server_name);
        const bool same = name && *name == permit_.target().host;
        if (!same) co_return Reason::sni_mismatch;
        co_return std::nullopt;
      }
      const StreamError filled = co_await client_buffer_.fill(client_);
      if (filled != StreamError::none) co_return Reason::client_gone;
    }
    co_return std::nullopt;
  }

  Task<void> pump_up() {
    StreamError error = StreamError::none;
    client_.limit(idle_max);
    if (client_buffer_.empty()) error = co_await client_buffer_.fill(client_);
    if (error == StreamError::none) {
      const std::optional<Reason> refused = co_await check_hello();
      if (refused) {
        end_with(*refused);
        co_return;
      }
      origin_.limit(idle_max);
      error = co_await origin_.write(client_buffer_.view());
      audit_.bytes_up += client_buffer_.view().size();
      client_buffer_.consume(client_buffer_.view().size());
      client_buffer_.release_if_empty();
    }
    if (error == StreamError::none) {
      co_await pump(client_, origin_, audit_.bytes_up);
    } else if (error == StreamError::end) {
      co_await origin_.finish_writing();
    } else {
      stop();
    }
  }

  // Inside the kernel; nothing of it is ours to look at.
  Task<void> pump(Stream& from, Stream& to, std::uint64_t& bytes) {
    const SplicePipe pipe;
    while (pipe.is_open()) {
      from.limit(idle_max);
      to.limit(idle_max);
      const ReadResult moved = co_await from.splice_to(to, pipe);
      bytes += moved.bytes;
      if (moved.error == StreamError::end) {
        co_await to.finish_writing();  // half-close: the other direction goes on
        co_return;
      }
      if (moved.error != StreamError::none) break;
    }
    stop();
  }

  void stop() {
    client_.interrupt();
    origin_.interrupt();
  }

  Worker& worker_;
  Sandbox& sandbox_;
  const Permit& permit_;
  Stream& client_;
  ReadBuffer& client_buffer_;
  Stream& origin_;
  TunnelAudit& audit_;
};

}  // namespace

Task<void> Connection::run_tunnel(const Permit& permit) {
  const SnapshotPtr snapshot = sandbox().snapshot();
  ++requests_;
  const auto located = co_await worker_.dialer().locate(permit, snapshot->addresses);
  if (!located) {
    const Reason reason = located.error().denial.reason;
    co_await refuse_connection(reason, &permit.target(), permit.rule());
    co_return;
  }
  TunnelAudit audit(worker_, sandbox(), facts_, permit,
                    worker_.dialer().first_address(permit, *located));
  const bool recorded = co_await audit.begin();
  if (!recorded) co_return;
  std::string no_key;
  auto origin = co_await worker_.dialer().connect(permit, *located, nullptr, std::move(no_key),
                                                  HttpOffer::http1);
  if (!origin) {
    audit.failed(origin.error().denial.reason);
    co_return;
  }
  // A reload while it was being dialled counts.
  if (!std::holds_alternative<Permit>(
          decide_tunnel(sandbox().snapshot()->policy, permit.target()))) {
    audit.failed(Reason::policy_changed);
    co_return;
  }
  if (facts_.detached) {
    audit.failed(Reason::client_gone);
    co_return;
  }
  Tunnel tunnel(worker_, sandbox(), permit, stream_, buffer_, *origin->stream, audit);
  co_await tunnel.run();
}

}  // namespace egret
