#include "proxy/session/exchange_session.h"

#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "policy/target/address_class.h"
#include "proxy/session/websocket_relay.h"

namespace egret {
namespace {

Refusal refuse_with(Reason reason, std::string hint = {}) { return refusal_of(Denial{reason, {}, std::move(hint)}); }

constexpr unsigned interim_max = 16;  // 1xx responses before the final one

const FieldList& no_trailers() {
  static const FieldList none;
  return none;
}

// A request that may be sent again on a fresh connection when an idle one turned out to be closed
// (RFC 9110 9.2.2).
bool may_be_repeated(const RequestHead& head, BodyLength length) {
  const bool idempotent = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS";
  return idempotent && length.kind == BodyLength::Kind::none;
}

// The gate as its own origin (ATTACKS A25, G12).
bool leads_back(const std::vector<SocketAddress>& own_listeners, const std::vector<CheckedAddress>& addresses) {
  for (const CheckedAddress& address : addresses) {
    for (const SocketAddress& own : own_listeners) {
      if (own.port != address.port()) continue;
      const bool wildcard = classify(own.address) == AddressClass::unspecified;
      if (own.address == address.address() || (wildcard && classify(address.address()) == AddressClass::loopback)) return true;
    }
  }
  return false;
}

}  // namespace

ExchangeSession::ExchangeSession(Worker& worker, Sandbox& sandbox, const ConnectionFacts& connection, const Ingress& ingress,
                                 ClientExchange& client, Stream& client_stream, ReadBuffer& client_buffer)
    : worker_(worker),
      sandbox_(sandbox),
      ingress_(ingress),
      client_(client),
      client_stream_(client_stream),
      client_buffer_(client_buffer),
      snapshot_(sandbox.snapshot()),
      audit_(worker, sandbox, connection, client.head()) {
  worker_.add(*this);
}

ExchangeSession::~ExchangeSession() { worker_.remove(*this); }

Task<void> ExchangeSession::run() {
  admission_ = admit(*snapshot_, ingress_, client_.head());
  if (admission_.refusal) {
    co_await refuse(*admission_.refusal);
    co_return;
  }
  const bool connected = co_await connect();
  if (!connected) co_return;
  co_await relay();
  give_back_connection();
}

Task<void> ExchangeSession::refuse(const Refusal& refusal) {
  const bool recorded = co_await audit_.deny(admission_, refusal);
  if (recorded) {
    co_await reply(refusal);
  } else {
    co_await reply_unrecorded();
  }
}

// No record, no request.
Task<void> ExchangeSession::reply_unrecorded() {
  const Refusal unavailable = refuse_with(Reason::audit_unavailable);
  co_await reply(unavailable);
}

Task<void> ExchangeSession::reply(const Refusal& refusal) {
  const Reply reply = reply_to(refusal, {sandbox_.name(), audit_.id(), admission_.target()});
  const bool head_only = client_.head().method == "HEAD";
  // Behind a request that was malformed or misdirected nothing can be trusted to be one.
  const bool policy_said_no = refusal.status == 403 || refusal.status == 405 || refusal.status == 429;
  if (refusal.status < 500 && !policy_said_no) client_.close_after_response();
  ResponseHead head = reply.head;
  const BodyLength length{BodyLength::Kind::length, reply.body.size()};
  const std::string_view body = head_only ? std::string_view() : std::string_view(reply.body);
  const StreamError error = co_await client_.send_head(head, length, body);
  if (error == StreamError::none) co_await client_.finish(no_trailers());
}

// An allowed exchange that cannot be carried out, or not to its end.
Task<void> ExchangeSession::fail(const Refusal& refusal) {
  audit_.failed(name(refusal.denial.reason));
  if (client_.responded()) {
    client_.abort();
    co_return;
  }
  audit_.answered(refusal.status);
  co_await reply(refusal);
}

std::string ExchangeSession::pool_key() const {
  return snapshot_->sandbox + '|' + admission_.addressed->target.text() + '|' + std::to_string(snapshot_->generation);
}

// Decides where, records, and only then lets anything go there.
Task<bool> ExchangeSession::connect() {
  const std::string key = pool_key();
  origin_ = worker_.pool().take(key);
  from_pool_ = origin_ != nullptr;
  std::vector<CheckedAddress> addresses;
  if (!from_pool_) {
    auto located = co_await locate();
    if (!located) {
      const Refusal refusal = located.error();
      if (refusal.denial.reason == Reason::addr_forbidden || refusal.denial.reason == Reason::loop) {
        co_await refuse(refusal);
        co_return false;
      }
      const bool recorded = co_await audit_.allow(admission_, std::string_view());
      if (recorded) {
        co_await fail(refusal);
      } else {
        co_await reply_unrecorded();
      }
      co_return false;
    }
    addresses = std::move(*located);
  }
  const std::string address = from_pool_ ? origin_->address() : addresses.front().address().text();
  const bool recorded = co_await audit_.allow(admission_, address);
  if (!recorded) {
    co_await reply_unrecorded();
    co_return false;
  }
  if (!from_pool_) {
    const bool dialled = co_await dial(addresses);
    if (!dialled) {
      const Refusal refusal = *refusal_;
      co_await fail(refusal);
      co_return false;
    }
  }
  audit_.connected(origin_->address());
  if (refusal_) {  // a reload has closed it meanwhile
    const Refusal refusal = *refusal_;
    co_await fail(refusal);
    co_return false;
  }
  co_return true;
}

// Where the target is; the gate itself is no origin.
Task<Result<std::vector<CheckedAddress>, Refusal>> ExchangeSession::locate() {
  auto located = co_await worker_.dialer().locate(*admission_.permit, snapshot_->addresses);
  if (located && leads_back(worker_.shared().own_listeners, *located)) co_return refuse_with(Reason::loop);
  co_return located;
}

// A fresh connection, proved to be the target's; else refusal_ says why not.
Task<bool> ExchangeSession::dial(const std::vector<CheckedAddress>& addresses) {
  const OriginTls* tls = worker_.shared().origin_tls.get().get();
  std::string key = pool_key();
  auto connected = co_await worker_.dialer().connect(*admission_.permit, addresses, tls, std::move(key));
  if (!connected) {
    if (!refusal_) refusal_ = connected.error();
    co_return false;
  }
  origin_ = std::make_unique<Http1OriginConnection>(std::move(*connected), worker_.shared().http1,
                                                    worker_.shared().origin_timeouts);
  audit_.connected(origin_->address());
  co_return !refusal_;
}

BodyLength ExchangeSession::length_for_origin(const BodyGuard& guard) const {
  BodyLength length = client_.request_length();
  if (length.kind == BodyLength::Kind::length && guard.changes_length()) length.kind = BodyLength::Kind::chunked;
  return length;
}

Task<bool> ExchangeSession::send_request_head(BodyLength length) {
  RequestHead head = head_for_origin(admission_, client_.head());
  inject_secrets(snapshot_->grants, admission_.secrets, head);
  origin_->begin(head.method);
  const StreamError error = co_await origin_->send_head(head, length, std::string_view());
  head.fields.wipe();
  wipe(head.target);
  co_return error == StreamError::none;
}

Task<void> ExchangeSession::relay() {
  using namespace asio::experimental::awaitable_operators;
  BodyGuard guard(*snapshot_, admission_.addressed->target);
  const BodyLength length = length_for_origin(guard);
  // A failed write is not the end: the origin may have said why, or may have closed an idle connection.
  co_await send_request_head(length);
  if (length.kind == BodyLength::Kind::none) {
    co_await origin_->finish_request();
    upload_done_ = true;
    co_await download();
  } else {
    // Before the two directions run side by side: the client's side has one writer at a time.
    if (admission_.expects_continue) co_await client_.send_continue();
    co_await (upload(guard) && download());
    client_.resume();
    audit_.used(guard.uses());
  }
  if (refusal_) {
    const Refusal refusal = *refusal_;
    co_await fail(refusal);
  }
}

Task<void> ExchangeSession::upload(BodyGuard& guard) {
  std::string out;
  while (true) {
    const auto piece = co_await client_.read_body();
    if (!piece) {
      if (!response_done_) {
        const auto& wire = piece.error().wire;
        const bool slow = piece.error().stream == StreamError::timed_out;
        refusal_ = wire ? refusal_of(*wire) : refuse_with(slow ? Reason::limit_time : Reason::client_gone);
        origin_->abort();
      }
      co_return;
    }
    out.clear();
    auto refused = guard.push(piece->data, out);
    if (!refused && piece->end) refused = guard.finish(out);
    if (refused) {
      wipe(out);
      refusal_ = std::move(refused);
      origin_->abort();
      co_return;
    }
    audit_.end().bytes_up += piece->data.size();
    const StreamError sent = co_await origin_->send_body(out);
    if (sent != StreamError::none) co_return;  // its answer tells
    if (piece->end) break;
  }
  const StreamError finished = co_await origin_->finish_request();
  upload_done_ = finished == StreamError::none;
}

void ExchangeSession::response_broke(const BodyFault& fault) {
  if (refusal_) return;  // the other direction broke first
  if (fault.wire) {
    refusal_ = refuse_with(Reason::upstream_framing);
  } else if (fault.stream == StreamError::timed_out) {
    refusal_ = refuse_with(Reason::upstream_timeout);
  } else {
    refusal_ = refuse_with(client_.responded() ? Reason::upstream_framing : Reason::upstream_unreachable);
  }
}

// The final head; interim ones are passed on. Reads again on a fresh connection where an idle one
// turned out to be closed and the request may be repeated.
Task<std::optional<ResponseHead>> ExchangeSession::read_response_head() {
  for (unsigned interim = 0; interim <= interim_max; ++interim) {
    auto head = co_await origin_->read_head();
    if (!head) {
      if (refusal_) co_return std::nullopt;  // we closed it ourselves
      const bool closed_while_idle = from_pool_ && !origin_->answered() && !head.error().wire &&
                                     head.error().stream != StreamError::timed_out;
      if (closed_while_idle && may_be_repeated(client_.head(), client_.request_length())) {
        from_pool_ = false;
        const auto addresses = co_await locate();
        if (!addresses) {
          refusal_ = addresses.error();
          co_return std::nullopt;
        }
        const bool dialled = co_await dial(*addresses);
        if (!dialled) co_return std::nullopt;
        co_await send_request_head(BodyLength());
        co_await origin_->finish_request();
        continue;
      }
      response_broke(head.error());
      co_return std::nullopt;
    }
    if (head->status >= 200 || head->status == 101) co_return std::move(*head);
    if (head->status == 100) continue;  // we have answered the expectation ourselves
    std::uint64_t& redactions = audit_.end().redactions;
    if (!clean_response(*head, needles_for_response(*snapshot_, admission_.addressed->target.host), redactions)) continue;
    const StreamError sent = co_await client_.send_interim(*head);
    if (sent != StreamError::none) {
      refusal_ = refuse_with(Reason::client_gone);
      co_return std::nullopt;
    }
  }
  refusal_ = refuse_with(Reason::upstream_framing);
  co_return std::nullopt;
}

Task<void> ExchangeSession::download() {
  auto head = co_await read_response_head();
  if (head) {
    audit_.first_byte();
    audit_.answered(head->status);
    if (head->status == 101) {
      co_await relay_websocket(*head);
    } else {
      co_await relay_body(*head);
    }
  }
  response_done_ = true;
  if (!upload_done_) {
    // An answer before the request was whole (D14): this ends both connections behind it.
    origin_->abort();
    client_.stop_reading();
  }
}

Task<void> ExchangeSession::relay_body(ResponseHead& head) {
  ResponseRecord& record = audit_.end();
  const std::shared_ptr<const Needles>& in_head = needles_for_response(*snapshot_, admission_.addressed->target.host);
  // What says that it is coded is searched too, at equal length: it may say so and not be.
  const std::shared_ptr<const Needles> needles = is_identity_coded(head.fields) ? in_head : snapshot_->mask;
  const auto cleaned = clean_response(head, in_head, record.redactions);
  if (!cleaned) {
    refusal_ = cleaned.error();
    co_return;
  }
  const bool scanned = !needles->empty();
  StreamReplacer redactor(scanned ? needles : nullptr);
  BodyLength length = origin_->response_length();
  if (length.kind == BodyLength::Kind::length && scanned && !needles->keeps_length()) length.kind = BodyLength::Kind::until_close;
  if (length.kind == BodyLength::Kind::until_close || length.kind == BodyLength::Kind::chunked) {
    length.kind = client_.takes_chunks() ? BodyLength::Kind::chunked : BodyLength::Kind::until_close;
  }
  const std::uint64_t redacted_in_head = record.redactions;
  bool head_sent = false;
  std::string out;
  while (true) {
    BodyPiece piece;
    // The head leaves at once unless the body's first bytes are already here to go with it.
    if (head_sent || origin_->response_length().kind == BodyLength::Kind::none || origin_->body_at_hand()) {
      const auto read = co_await origin_->read_body();
      if (!read) {
        response_broke(read.error());
        co_return;
      }
      piece = *read;
    }
    std::string_view data = piece.data;
    if (scanned) {
      out.clear();
      redactor.push(piece.data, out);
      if (piece.end) redactor.finish(out);
      record.redactions = redacted_in_head + redactor.replaced();
      data = out;
    }
    record.bytes_down += piece.data.size();
    StreamError error = StreamError::none;
    if (head_sent) {
      error = co_await client_.send_body(data);
    } else {
      error = co_await client_.send_head(head, length, data);
      head_sent = true;
    }
    if (error != StreamError::none) {
      refusal_ = refuse_with(Reason::client_gone);
      co_return;
    }
    if (piece.end) break;
  }
  if (origin_->maybe_truncated()) audit_.failed(name(StreamError::truncated));
  const StreamError finished = co_await client_.finish(no_trailers());
  if (finished != StreamError::none) refusal_ = refuse_with(Reason::client_gone);
}

Task<void> ExchangeSession::relay_websocket(const ResponseHead& head) {
  if (!admission_.websocket || !check_websocket_response(client_.head(), head)) {
    refusal_ = refuse_with(Reason::upstream_framing);
    co_return;
  }
  ResponseHead cleaned = head;
  std::uint64_t& redactions = audit_.end().redactions;
  if (!clean_response(cleaned, needles_for_response(*snapshot_, admission_.addressed->target.host), redactions)) co_return;
  cleaned.fields.add("connection", "Upgrade");
  cleaned.fields.add("upgrade", "websocket");
  const StreamError sent = co_await client_.send_head(cleaned, BodyLength(), std::string_view());
  if (sent != StreamError::none) {
    refusal_ = refuse_with(Reason::client_gone);
    co_return;
  }
  WebSocketRelay relay(client_stream_, client_buffer_, origin_->stream(), origin_->buffer(), *snapshot_,
                       websocket_deflate_agreed(head));
  const WebSocketEnd end = co_await relay.run();
  ResponseRecord& record = audit_.end();
  record.bytes_up = end.bytes_up;
  record.bytes_down = end.bytes_down;
  record.frames_up = end.frames_up;
  record.frames_down = end.frames_down;
  record.redactions += end.redactions;
  if (end.error) audit_.failed(name(*end.error));
  origin_->abort();
}

void ExchangeSession::give_back_connection() {
  if (!refusal_ && origin_ && origin_->reusable()) worker_.pool().give_back(pool_key(), std::move(origin_));
}

void ExchangeSession::policy_changed() {
  if (!admission_.permit || refusal_) return;
  const SnapshotPtr now = sandbox_.snapshot();
  const Verdict verdict =
      decide(now->policy, {admission_.addressed->target, client_.head().method, &admission_.addressed->path});
  if (std::holds_alternative<Permit>(verdict)) return;
  audit_.failed(name(Reason::policy_changed));
  refusal_ = refuse_with(Reason::policy_changed);
  if (origin_) origin_->abort();
  client_.abort();
}

}  // namespace egret
