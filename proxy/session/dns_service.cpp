#include "proxy/session/dns_service.h"

#include <cerrno>
#include <sys/socket.h>
#include <utility>

#include "proxy/io/read_buffer.h"
#include "proxy/wire/dns_message.h"

namespace egret {
namespace {

constexpr std::uint32_t ttl_s = 60;
constexpr std::chrono::seconds tcp_idle_max{30};
constexpr std::size_t message_bytes_max = 4096;
constexpr unsigned messages_a_turn = 64;

// Whether any rule could let something to this name pass, on whatever port.
std::optional<Denial> refused_name(const Policy& policy, const Host& host) {
  auto denial = refuse_early(policy, {Scheme::https, host, 443});
  if (!denial || !refuse_early(policy, {Scheme::http, host, 80})) return std::nullopt;
  bool elsewhere = false;
  policy.for_each_match(
      host, [&](const Rule& rule) { elsewhere = elsewhere || rule.effect == Effect::allow; });
  return elsewhere && denial->reason == Reason::port_not_allowed ? std::nullopt : std::move(denial);
}

void record_name(Worker& worker, Sandbox& sandbox, const DnsQuery& query,
                 const std::optional<IpAddress>& answer) {
  const std::string type = dns_type_text(query.type);
  const std::string text = answer ? answer->text() : std::string();
  DnsRecord record;
  record.time = std::chrono::system_clock::now();
  record.sandbox = sandbox.name();
  record.name = query.name;
  record.type = type;
  record.answer = text;
  record.decision = AuditDecision::allow;
  record.reason = Reason::rule;
  std::optional<Denial> denial = Denial{Reason::host_malformed, {}, {}};
  if (query.host) denial = refused_name(sandbox.snapshot()->policy, *query.host);
  if (denial) {
    record.decision = AuditDecision::deny;
    record.reason = denial->reason;
    record.rule = denial->rule;
  }
  std::string body;
  render(record, body);
  worker.record_end(std::move(body));
}

void record_limit(Worker& worker, Sandbox& sandbox) {
  GateRecord record;
  record.time = std::chrono::system_clock::now();
  record.what = "limit";
  record.sandbox = sandbox.name();
  record.detail = name(Reason::limit_dns_names);
  std::string body;
  render(record, body);
  worker.record_end(std::move(body));
}

}  // namespace

std::string answer_dns(Worker& worker, Sandbox& sandbox, std::string_view message) {
  const auto query = parse_dns_query(message);
  if (!query) return make_dns_format_error(message);
  if (!query->host || query->host->is_address()) {
    return make_dns_answer(*query, DnsCode::name_error, std::nullopt, ttl_s);
  }
  const bool wants_a = query->type == static_cast<std::uint16_t>(DnsType::a);
  const bool wants_aaaa = query->type == static_cast<std::uint16_t>(DnsType::aaaa);
  // A name that cannot be recorded is not answered.
  const auto entry =
      worker.audit().counters().failing ? std::nullopt : sandbox.names().address_for(*query->host);
  if (!entry) {
    if (sandbox.first_name_too_many()) record_limit(worker, sandbox);
    return make_dns_answer(*query, DnsCode::server_failure, std::nullopt, ttl_s);
  }
  std::optional<IpAddress> answer;
  if (wants_a) answer = entry->v4;
  if (wants_aaaa) answer = entry->v6;
  if (entry->is_new) record_name(worker, sandbox, *query, answer);
  return make_dns_answer(*query, DnsCode::no_error, answer, ttl_s);
}

Task<void> serve_dns_udp(Worker& worker, std::shared_ptr<Sandbox> sandbox, SharedFd fd,
                         AttachmentPartPtr part) {
  ListeningSocket socket(worker, std::move(fd), std::move(part));
  for (unsigned turn = 1; !socket.ended(); ++turn) {
    if (turn % messages_a_turn == 0) co_await asio::post(worker.context(), asio::use_awaitable);
    sockaddr_storage peer{};
    socklen_t peer_bytes = sizeof peer;
    std::string& message = worker.datagram();  // one for all: a thousand namespaces may wait here
    const ssize_t got = ::recvfrom(socket.fd(), message.data(), message.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&peer), &peer_bytes);
    if (got < 0) {
      const bool more = co_await socket.readable();
      if (!more) co_return;
      continue;
    }
    const std::string answer =
        answer_dns(worker, *sandbox, {message.data(), static_cast<std::size_t>(got)});
    if (!answer.empty()) {
      ::sendto(socket.fd(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<sockaddr*>(&peer), peer_bytes);
    }
  }
}

// RFC 1035 4.2.2: two octets of length before each message.
Task<void> serve_dns_stream(Worker& worker, std::shared_ptr<Sandbox> sandbox, Stream& stream) {
  ReadBuffer buffer;
  while (true) {
    const std::string_view have = buffer.view();
    if (have.size() >= 2) {
      const std::size_t bytes = static_cast<std::size_t>(static_cast<unsigned char>(have[0])) << 8 |
                                static_cast<unsigned char>(have[1]);
      if (bytes > message_bytes_max) co_return;
      if (have.size() >= 2 + bytes) {
        const std::string answer = answer_dns(worker, *sandbox, have.substr(2, bytes));
        buffer.consume(2 + bytes);
        if (answer.empty()) co_return;
        const char length[2] = {static_cast<char>(answer.size() >> 8),
                                static_cast<char>(answer.size() & 0xff)};
        const std::string_view prefix(length, 2);
        const StreamError written = co_await stream.write(prefix, answer);
        if (written != StreamError::none) co_return;
        continue;
      }
    }
    stream.limit(tcp_idle_max);
    const StreamError filled = co_await buffer.fill(stream);
    if (filled != StreamError::none) co_return;
  }
}

namespace {

class DetachableStream final : public AttachmentPart::Member {
 public:
  DetachableStream(StreamSocket socket, Deadlines& deadlines, AttachmentPartPtr part)
      : stream(std::move(socket), deadlines), part_(std::move(part)) {
    if (part_) part_->add(*this);
  }
  ~DetachableStream() {
    if (part_) part_->remove(*this);
  }
  Stream stream;

 private:
  void detached() override { stream.reset(); }
  AttachmentPartPtr part_;
};

Task<void> serve_dns_socket(Worker& worker, std::shared_ptr<Sandbox> sandbox, StreamSocket socket,
                            AttachmentPartPtr part) {
  DetachableStream detachable(std::move(socket), worker.deadlines(), std::move(part));
  co_await serve_dns_stream(worker, std::move(sandbox), detachable.stream);
}

}  // namespace

Task<void> serve_dns_tcp(Worker& worker, std::shared_ptr<Sandbox> sandbox, SharedFd fd,
                         AttachmentPartPtr part) {
  // Named, not written into the co_await: g++ 12 destroys such a temporary twice.
  OnAccept on_accept = [&worker, sandbox, part](StreamSocket socket) {
    spawn_on(worker, serve_dns_socket(worker, sandbox, std::move(socket), part));
  };
  co_await accept_loop(worker, std::move(fd), std::move(on_accept), std::move(part));
}

}  // namespace egret
