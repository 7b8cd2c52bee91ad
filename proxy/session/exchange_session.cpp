#include "proxy/session/exchange_session.h"

#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace egret {

const FieldList ExchangeSession::no_trailers;

ExchangeSession::ExchangeSession(Worker& worker, Sandbox& sandbox,
                                 const ConnectionFacts& connection, const Ingress& ingress,
                                 ClientExchange& client)
    : worker_(worker),
      sandbox_(sandbox),
      connection_(connection),
      ingress_(ingress),
      client_(client),
      snapshot_(sandbox.snapshot()),
      audit_(worker, sandbox, connection, client.head()) {
  worker_.add(*this);
  client_.when_given_up([this] { client_gave_up(); });
}

ExchangeSession::~ExchangeSession() {
  client_.when_given_up(nullptr);
  worker_.remove(*this);
}

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

Task<void> ExchangeSession::run_malformed(const WireFault& fault) {
  admission_.settled = ingress_.settled;
  const Refusal malformed = refusal_of(fault);
  co_await refuse(malformed);
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
  const Refusal unavailable = refusal_of(Reason::audit_unavailable);
  co_await reply(unavailable);
}

Task<void> ExchangeSession::reply(const Refusal& refusal) {
  const ReplyContext context{sandbox_.name(), audit_.id(), admission_.target()};
  const bool grpc = speaks_grpc(client_.head());
  const Reply reply = grpc ? grpc_reply_to(refusal, context) : reply_to(refusal, context);
  const bool head_only = client_.head().method == "HEAD";
  // Behind a request that was malformed or misdirected nothing can be trusted to be one.
  const bool policy_said_no =
      refusal.status == 403 || refusal.status == 405 || refusal.status == 429;
  if (refusal.status < 500 && !policy_said_no) client_.close_after_response();
  ResponseHead head = reply.head;
  const BodyLength length{grpc ? BodyLength::Kind::none : BodyLength::Kind::length,
                          reply.body.size()};
  const std::string_view body = head_only ? std::string_view() : std::string_view(reply.body);
  const StreamError error = co_await client_.send_head(head, length, body);
  if (error == StreamError::none) co_await client_.finish(no_trailers);
}

// An allowed exchange that cannot be carried out, or not to its end.
Task<void> ExchangeSession::fail(const Refusal& refusal) {
  audit_.failed(name(refusal.denial.reason));
  const bool nobody_there = refusal.denial.reason == Reason::client_gone;
  if (client_.responded() || nobody_there) {
    client_.abort();
    co_return;
  }
  audit_.answered(refusal.status);
  co_await reply(refusal);
}

// An upgrade is a thing of HTTP/1.1.
HttpOffer ExchangeSession::offer() const {
  return admission_.websocket ? HttpOffer::http1 : HttpOffer::http2_and_http1;
}

// Whether others may use the connection at the same time.
bool ExchangeSession::shareable() const {
  return admission_.addressed->target.scheme == Scheme::https &&
         offer() == HttpOffer::http2_and_http1;
}

// Decides where, records, and only then lets anything go there.
Task<bool> ExchangeSession::connect() {
  pool_key_ = snapshot_->sandbox + '|' + admission_.addressed->target.text() + '|' +
              std::to_string(snapshot_->generation);
  origin_ = worker_.pool().reuse(pool_key_, client_.head().method, offer());
  if (!origin_ && shareable()) {
    co_await worker_.pool().wait_for_announced(pool_key_);
    origin_ = worker_.pool().reuse(pool_key_, client_.head().method, offer());
  }
  from_pool_ = origin_ != nullptr;
  if (!from_pool_) co_return co_await connect_afresh();
  const bool recorded = co_await audit_.allow(admission_, origin_->address());
  if (!recorded) {
    co_await reply_unrecorded();
    co_return false;
  }
  audit_.connected(origin_->address());
  co_return co_await goes_on();
}

Task<bool> ExchangeSession::connect_afresh() {
  std::optional<OriginPool::Announced> announced;
  if (shareable()) announced.emplace(worker_.pool(), pool_key_, worker_.context().get_executor());
  auto located = co_await worker_.dialer().locate(*admission_.permit, snapshot_->addresses);
  if (!located) {
    refusal_ = located.error();
    announced.reset();  // nobody waits while this client reads its answer
    const Reason reason = refusal_->denial.reason;
    if (reason == Reason::addr_forbidden || reason == Reason::loop) {
      const Refusal refusal = *refusal_;
      co_await refuse(refusal);
      co_return false;
    }
  }
  const std::string address =
      located ? worker_.dialer().first_address(*admission_.permit, *located) : std::string();
  const bool recorded = co_await audit_.allow(admission_, address);
  if (!recorded) {
    announced.reset();
    co_await reply_unrecorded();
    co_return false;
  }
  if (located) co_await dial(*located);
  announced.reset();
  co_return co_await goes_on();
}

// Not where there was a refusal, or where a reload has closed it meanwhile.
Task<bool> ExchangeSession::goes_on() {
  if (!refusal_) co_return true;
  const Refusal refusal = *refusal_;
  co_await fail(refusal);
  co_return false;
}

// A fresh connection, proved to be the target's; else refusal_ says why not.
Task<bool> ExchangeSession::dial(const std::vector<CheckedAddress>& addresses) {
  if (refusal_) co_return false;  // a reload has closed it meanwhile
  const OriginTls* tls = worker_.shared().origin_tls.get().get();
  auto connected =
      co_await worker_.dialer().connect(*admission_.permit, addresses, tls, pool_key_, offer());
  if (!connected) {
    if (!refusal_) refusal_ = connected.error();
    co_return false;
  }
  origin_ = worker_.pool().adopt(pool_key_, client_.head().method, std::move(*connected));
  audit_.connected(origin_->address());
  co_return !refusal_;
}

BodyLength ExchangeSession::length_for_origin(const BodyGuard& guard) const {
  BodyLength length = client_.request_length();
  if (length.kind == BodyLength::Kind::length && guard.changes_length())
    length.kind = BodyLength::Kind::chunked;
  return length;
}

Task<bool> ExchangeSession::send_request_head(BodyLength length) {
  RequestHead head = head_for_origin(admission_, client_.head());
  inject_secrets(snapshot_->grants, admission_.secrets, head);
  const StreamError error = co_await origin_->send_head(head, length, std::string_view());
  head.fields.wipe();
  wipe(head.target);
  co_return error == StreamError::none;
}

Task<void> ExchangeSession::relay() {
  using namespace asio::experimental::awaitable_operators;
  BodyGuard guard(*snapshot_, admission_.addressed->target, client_.head().fields,
                  step_bytes_default, &sandbox_.decoding());
  const BodyLength length = length_for_origin(guard);
  // A failed write is not the end: the origin may have said why, or may have closed an idle
  // connection.
  co_await send_request_head(length);
  if (length.kind == BodyLength::Kind::none) {
    co_await origin_->finish_request(no_trailers);
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
  while (true) {
    const auto piece = co_await client_.read_body();
    if (!piece) {
      if (!response_done_) {
        const auto& wire = piece.error().wire;
        const bool slow = piece.error().stream == StreamError::timed_out;
        refusal_ =
            wire ? refusal_of(*wire) : refusal_of(slow ? Reason::limit_time : Reason::client_gone);
        origin_->abort();
      }
      co_return;
    }
    audit_.end().bytes_up += piece->data.size();
    const bool passed = co_await upload_piece(*piece, guard);
    if (!passed) co_return;
    if (piece->end) break;
  }
  auto refused = check_trailers(*snapshot_, client_.trailers());
  if (refused) {
    refusal_ = std::move(refused);
    origin_->abort();
    co_return;
  }
  const StreamError finished = co_await origin_->finish_request(client_.trailers());
  upload_done_ = finished == StreamError::none;
}

// All that comes of one piece, in steps: each is sent before the next one is made. False where
// nothing more is to be sent; the origin's answer may tell why.
Task<bool> ExchangeSession::upload_piece(BodyPiece piece, BodyGuard& guard) {
  if (!guard.searches()) {
    const StreamError sent = co_await origin_->send_body(piece.data);
    co_return sent == StreamError::none;
  }
  const Behind behind = piece.end ? Behind::end : Behind::pause;
  std::string out;  // here, so that an upload that waits holds nothing
  bool passed = true;
  for (Progress progress = Progress::again; passed && progress == Progress::again;) {
    const auto step = guard.step(piece.data, behind, out);
    if (!step) {
      refusal_ = step.error();
      origin_->abort();
      passed = false;
      break;
    }
    progress = *step;
    const StreamError sent = co_await origin_->send_body(out);
    out.clear();
    passed = sent == StreamError::none;
    // A few coded bytes can keep this loop busy for long: others have their turn.
    if (progress == Progress::again) co_await asio::post(worker_.context(), asio::use_awaitable);
  }
  wipe(out);
  co_return passed;
}

void ExchangeSession::give_back_connection() {
  if (!refusal_ && origin_) worker_.pool().give_back(pool_key_, std::move(origin_));
}

// The origin need not go on with what nobody waits for.
void ExchangeSession::client_gave_up() {
  if (refusal_ || response_done_) return;
  refusal_ = refusal_of(Reason::client_gone);
  if (origin_) origin_->abort();
}

void ExchangeSession::policy_changed() {
  if (!admission_.permit || refusal_) return;
  const SnapshotPtr now = sandbox_.snapshot();
  const Verdict verdict = decide(now->policy, {admission_.addressed->target, client_.head().method,
                                               &admission_.addressed->path});
  if (std::holds_alternative<Permit>(verdict) && !connection_.detached) return;
  const Reason reason = connection_.detached ? Reason::client_gone : Reason::policy_changed;
  audit_.failed(name(reason));
  refusal_ = refusal_of(reason);
  if (origin_) origin_->abort();
  client_.abort();
}

}  // namespace egret
