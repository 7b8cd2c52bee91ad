#include <utility>

#include "proxy/session/exchange_session.h"
#include "proxy/session/websocket_relay.h"

// The response's half of an exchange.
namespace egret {
namespace {

constexpr unsigned interim_max = 16;  // 1xx responses before the final one

// Whether the request may be sent once more, on a fresh connection. A body has gone by then.
bool may_be_repeated(Replay replay, bool from_pool, const RequestHead& head, BodyLength length) {
  if (length.kind != BodyLength::Kind::none) return false;
  const bool idempotent = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS";
  return replay == Replay::always || (replay == Replay::if_idempotent && idempotent && from_pool);
}

}  // namespace

void ExchangeSession::response_broke(const BodyFault& fault) {
  if (refusal_) return;  // the other direction broke first
  if (fault.wire) {
    // An upstream proxy's refusal is no broken framing.
    const bool of_proxy = fault.wire->reason == Reason::upstream_unreachable;
    refusal_ = of_proxy ? refusal_of(*fault.wire) : refusal_of(Reason::upstream_framing);
  } else if (fault.stream == StreamError::timed_out) {
    refusal_ = refusal_of(Reason::upstream_timeout);
  } else {
    refusal_ =
        refusal_of(client_.responded() ? Reason::upstream_framing : Reason::upstream_unreachable);
  }
}

// Another connection than the one that was lost; else refusal_ says why not.
Task<bool> ExchangeSession::connect_again() {
  if (shareable()) {
    co_await worker_.pool().wait_for_announced(pool_key_);
    origin_ = worker_.pool().share(pool_key_, client_.head().method);
    if (origin_) {
      audit_.connected(origin_->address());
      co_return !refusal_;
    }
  }
  std::optional<OriginPool::Announced> announced;
  if (shareable()) announced.emplace(worker_.pool(), pool_key_, worker_.context().get_executor());
  const auto addresses = co_await worker_.dialer().locate(*admission_.permit, snapshot_->addresses);
  if (!addresses) {
    refusal_ = addresses.error();
    co_return false;
  }
  co_return co_await dial(*addresses);
}

// The final head; interim ones are passed on. Asks once more on a fresh connection where nobody can
// have acted on the request.
Task<std::optional<ResponseHead>> ExchangeSession::read_response_head() {
  for (unsigned interim = 0; interim <= interim_max; ++interim) {
    auto head = co_await origin_->read_head();
    if (!head) {
      if (refusal_) co_return std::nullopt;  // we closed it ourselves
      const bool lost =
          !repeated_ && !head.error().wire && head.error().stream != StreamError::timed_out;
      if (lost && may_be_repeated(origin_->replay(), from_pool_, client_.head(),
                                  client_.request_length())) {
        repeated_ = true;
        const bool connected = co_await connect_again();
        if (!connected) co_return std::nullopt;
        co_await send_request_head(BodyLength());
        co_await origin_->finish_request(no_trailers);
        continue;
      }
      response_broke(head.error());
      co_return std::nullopt;
    }
    if (head->status >= 200 || head->status == 101) co_return std::move(*head);
    if (head->status == 100) continue;  // we have answered the expectation ourselves
    std::uint64_t& redactions = audit_.end().redactions;
    if (!clean_response(*head, needles_for_response(*snapshot_, admission_.addressed->target.host),
                        redactions))
      continue;
    const StreamError sent = co_await client_.send_interim(*head);
    if (sent != StreamError::none) {
      refusal_ = refusal_of(Reason::client_gone);
      co_return std::nullopt;
    }
  }
  refusal_ = refusal_of(Reason::upstream_framing);
  co_return std::nullopt;
}

Task<void> ExchangeSession::download() {
  auto head = co_await read_response_head();
  if (head) {
    audit_.first_byte();
    audit_.answered(head->status);
    const bool success = head->status >= 200 && head->status < 300;
    if (head->status == 101) {
      co_await relay_websocket(*head);
    } else if (success && admission_.websocket && client_.head().version == Version::http2) {
      // There a 200 would mean that the WebSocket was accepted (RFC 8441 5).
      refusal_ = refusal_of(Reason::upstream_framing);
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
  const Host& host = admission_.addressed->target.host;
  const BodyLength from_origin = origin_->response_length();
  ResponseGuard guard(*snapshot_, host, head.fields, step_bytes_default, &sandbox_.decoding());
  if (from_origin.kind != BodyLength::Kind::none) {
    if (const auto unreadable = guard.unreadable()) {
      refusal_ = *unreadable;
      co_return;
    }
  }
  ResponseRecord& record = audit_.end();
  const std::shared_ptr<const Needles>& needles = needles_for_response(*snapshot_, host);
  const auto cleaned = clean_response(head, needles, record.redactions);
  if (!cleaned) {
    refusal_ = cleaned.error();
    co_return;
  }
  const BodyLength length = guard.length_for_client(from_origin, client_.takes_chunks());
  const std::uint64_t redacted_in_head = record.redactions;
  bool head_sent = false;
  while (true) {
    BodyPiece piece;
    // The head leaves at once unless the body's first bytes are already here to go with it.
    if (head_sent || from_origin.kind == BodyLength::Kind::none || origin_->body_at_hand()) {
      const auto read = co_await origin_->read_body();
      if (!read) {
        response_broke(read.error());
        co_return;
      }
      piece = *read;
    }
    record.bytes_down += piece.data.size();
    const bool passed = co_await relay_piece(piece, guard, head, length);
    record.redactions = redacted_in_head + guard.redactions();
    if (!passed) co_return;
    head_sent = true;
    if (piece.end) break;
  }
  if (origin_->maybe_truncated()) audit_.failed(name(StreamError::truncated));
  FieldList trailers;
  if (client_.takes_trailers())
    trailers = clean_trailers(origin_->trailers(), needles, record.redactions);
  const StreamError finished = co_await client_.finish(trailers);
  if (finished != StreamError::none) refusal_ = refusal_of(Reason::client_gone);
}

// All that comes of one piece, in steps: each is sent before the next one is made. The head goes
// with the first.
Task<bool> ExchangeSession::relay_piece(BodyPiece piece, ResponseGuard& guard, ResponseHead& head,
                                        BodyLength length) {
  const Behind behind = piece.end ? Behind::end : Behind::pause;
  std::string out;  // here, so that an answer that waits holds nothing
  for (Progress progress = Progress::again; progress == Progress::again;) {
    std::string_view data = piece.data;
    if (guard.searches()) {
      out.clear();
      const auto step = guard.step(piece.data, behind, out);
      if (!step) {
        refusal_ = step.error();
        co_return false;
      }
      progress = *step;
      data = out;
    } else {
      progress = Progress::done;
    }
    StreamError error = StreamError::none;
    if (client_.responded()) {
      error = co_await client_.send_body(data);
    } else if (progress == Progress::done || !data.empty()) {
      error = co_await client_.send_head(head, length, data);
    }
    if (error != StreamError::none) {
      refusal_ = refusal_of(Reason::client_gone);
      co_return false;
    }
    // A few coded bytes can keep this loop busy for long: others have their turn.
    if (progress == Progress::again) co_await asio::post(worker_.context(), asio::use_awaitable);
  }
  co_return true;
}

Task<void> ExchangeSession::relay_websocket(const ResponseHead& head) {
  if (!admission_.websocket || !check_websocket_response(client_.head(), head)) {
    refusal_ = refusal_of(Reason::upstream_framing);
    co_return;
  }
  ResponseHead cleaned = head;
  std::uint64_t& redactions = audit_.end().redactions;
  if (!clean_response(cleaned, needles_for_response(*snapshot_, admission_.addressed->target.host),
                      redactions))
    co_return;
  cleaned.fields.add("connection", "Upgrade");
  cleaned.fields.add("upgrade", "websocket");
  const StreamError sent = co_await client_.send_head(cleaned, BodyLength(), std::string_view());
  if (sent != StreamError::none) {
    refusal_ = refusal_of(Reason::client_gone);
    co_return;
  }
  WebSocketRelay relay(client_, *origin_, *snapshot_, admission_.addressed->target,
                       websocket_deflate(head.fields));
  const WebSocketEnd end = co_await relay.run();
  ResponseRecord& record = audit_.end();
  record.bytes_up = end.bytes_up;
  record.bytes_down = end.bytes_down;
  record.frames_up = end.frames_up;
  record.frames_down = end.frames_down;
  record.redactions += end.redactions;
  audit_.used(end.uses);
  if (end.error) audit_.failed(name(*end.error));
  origin_->abort();
}

}  // namespace egret
