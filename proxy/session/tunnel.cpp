#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "proxy/session/connection.h"

namespace egret {
namespace {

constexpr std::chrono::minutes idle_max{60};

// An opaque relay: what `tunnel: true` opens, and nothing else does.
class Tunnel final : public LongLived {
 public:
  Tunnel(Worker& worker, Sandbox& sandbox, const Permit& permit, Stream& client, ReadBuffer& client_buffer, Stream& origin)
      : worker_(worker), sandbox_(sandbox), permit_(permit), client_(client), client_buffer_(client_buffer), origin_(origin) {
    worker_.add(*this);
  }
  ~Tunnel() { worker_.remove(*this); }

  Task<void> run() {
    using namespace asio::experimental::awaitable_operators;
    co_await (pump(client_, client_buffer_, origin_, bytes_up) && pump(origin_, origin_buffer_, client_, bytes_down));
  }

  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::optional<Reason> error;

 private:
  void policy_changed() override {
    if (std::holds_alternative<Permit>(decide_tunnel(sandbox_.snapshot()->policy, permit_.target()))) return;
    end_with(Reason::policy_changed);
  }

  void end_with(Reason reason) {
    error = reason;
    client_.interrupt();
    origin_.interrupt();
  }

  // A client that speaks TLS has to name the target: the hello is read whole before any of it leaves.
  Task<bool> check_hello() {
    ClientHello hello;
    while (looks_like_tls(client_buffer_.view())) {
      const auto state = read_client_hello(client_buffer_.view(), hello);
      if (!state || client_buffer_.full()) co_return false;
      if (*state == HelloState::complete) {
        if (!hello.has_server_name) co_return permit_.target().host.is_address();
        const auto name = Host::parse(hello.server_name);
        co_return name && *name == permit_.target().host;
      }
      const StreamError filled = co_await client_buffer_.fill(client_);
      if (filled != StreamError::none) co_return false;
    }
    co_return true;
  }

  Task<void> pump(Stream& from, ReadBuffer& buffer, Stream& to, std::uint64_t& bytes) {
    bool first = &from == &client_;
    while (true) {
      if (buffer.empty()) {
        from.limit(idle_max);
        const StreamError read = co_await buffer.fill(from);
        if (read == StreamError::end) {
          co_await to.finish_writing();  // half-close: the other direction goes on
          co_return;
        }
        if (read != StreamError::none) break;
      }
      if (std::exchange(first, false)) {
        const bool named_right = co_await check_hello();
        if (!named_right) {
          end_with(Reason::sni_mismatch);
          co_return;
        }
      }
      to.limit(idle_max);
      const StreamError written = co_await to.write(buffer.view());
      if (written != StreamError::none) break;
      bytes += buffer.view().size();
      buffer.consume(buffer.view().size());
    }
    from.interrupt();
    to.interrupt();
  }

  Worker& worker_;
  Sandbox& sandbox_;
  const Permit& permit_;
  Stream& client_;
  ReadBuffer& client_buffer_;
  Stream& origin_;
  ReadBuffer origin_buffer_;
};

}  // namespace

Task<void> Connection::run_tunnel(const Permit& permit) {
  const auto started = std::chrono::steady_clock::now();
  const SnapshotPtr snapshot = sandbox().snapshot();
  ++requests_;
  const auto located = co_await worker_.dialer().locate(permit, snapshot->addresses);
  if (!located) {
    co_await refuse_connection(located.error().denial.reason, &permit.target(), permit.rule());
    co_return;
  }
  ConnectionRecord record;
  record.time = std::chrono::system_clock::now();
  record.id = facts_.id;
  record.sandbox = sandbox().name();
  record.capture = facts_.capture;
  record.decision = AuditDecision::allow;
  record.reason = Reason::rule;
  record.rule = permit.rule();
  record.target = &permit.target();
  const std::string address = located->front().address().text();
  record.address = address;
  std::string body;
  render(record, body);
  const bool recorded = co_await worker_.record(std::move(body));
  if (!recorded) co_return;
  record.end = true;
  auto origin = co_await worker_.dialer().connect(permit, *located, nullptr, {});
  std::string error;
  if (origin) {
    Tunnel tunnel(worker_, sandbox(), permit, stream_, buffer_, *origin->stream);
    co_await tunnel.run();
    record.bytes_up = tunnel.bytes_up;
    record.bytes_down = tunnel.bytes_down;
    if (tunnel.error) error = name(*tunnel.error);
  } else {
    error = name(origin.error().denial.reason);
  }
  record.time = std::chrono::system_clock::now();
  record.total_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count();
  record.error = error;
  body.clear();
  render(record, body);
  worker_.record_end(std::move(body));
}

}  // namespace egret
