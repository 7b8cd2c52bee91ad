#include "proxy/session/websocket_relay.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "proxy/secrets/random.h"

namespace egret {
namespace {

constexpr std::uint16_t going_away = 1001;

// Between the steps of one read, which may be many: a compressed message can be far longer than
// its frames. The worker's other connections move meanwhile.
Task<void> take_turns() {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

}  // namespace

WebSocketRelay::WebSocketRelay(ClientExchange& client, OriginExchange& origin,
                               const SandboxSnapshot& snapshot, const Target& target,
                               const std::optional<WebSocketDeflate>& deflate)
    : client_(client),
      origin_(origin),
      up_(WebSocketSide::client, deflate, snapshot, target, system_random()),
      down_(WebSocketSide::server, deflate, snapshot, target, system_random()) {}

Task<WebSocketEnd> WebSocketRelay::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (pump_up() && pump_down());
  end_.frames_up = up_.frames();
  end_.frames_down = down_.frames();
  end_.redactions = down_.redactions();
  end_.uses = up_.uses();
  if (stop_) {
    end_.error = stop_->reason;
    co_await close_client();
  }
  co_return end_;
}

Task<void> WebSocketRelay::pump_up() {
  while (true) {
    const auto piece = co_await client_.read_body();
    if (!piece) break;
    end_.bytes_up += piece->data.size();
    const bool sent = co_await send_up(piece->data);
    if (stop_) co_return;
    if (!sent) break;
    if (piece->end) {
      const FieldList no_trailers;
      co_await origin_.finish_request(no_trailers);
      if (up_.closed()) co_return;
      break;  // it has gone without a close frame
    }
  }
  end_both();
}

Task<bool> WebSocketRelay::send_up(std::string_view data) {
  bool more = true;
  while (more) {
    const WebSocketDirection::Step step = up_.step(data);
    const StreamError sent = co_await origin_.send_body(step.data);
    if (step.stop) {
      const std::string_view close = up_.close(going_away, {});
      if (sent == StreamError::none) co_await origin_.send_body(close);
      stop(*step.stop);
      origin_.abort();  // ends the other direction; what it is sending to the client goes out whole
      co_return false;
    }
    if (sent != StreamError::none) co_return false;
    more = step.more;
    if (more) co_await take_turns();
  }
  co_return true;
}

Task<void> WebSocketRelay::pump_down() {
  while (true) {
    const auto piece = co_await origin_.read_body();
    if (!piece) break;
    end_.bytes_down += piece->data.size();
    const bool sent = co_await send_down(piece->data);
    if (!sent || stop_) break;
    if (piece->end) {
      const FieldList no_trailers;
      co_await client_.finish(no_trailers);
      if (down_.closed()) co_return;
      break;
    }
  }
  if (!stop_) end_both();
}

Task<bool> WebSocketRelay::send_down(std::string_view data) {
  bool more = true;
  while (more) {
    const WebSocketDirection::Step step = down_.step(data);
    const StreamError sent = co_await client_.send_body(step.data);
    client_is_gone_ = client_is_gone_ || sent != StreamError::none;
    if (step.stop) {
      stop(*step.stop);
      end_both();
      co_return false;
    }
    if (client_is_gone_) co_return false;
    more = step.more;
    if (more) co_await take_turns();
  }
  co_return true;
}

void WebSocketRelay::stop(const WebSocketStop& stop) {
  if (!stop_) stop_ = stop;
}

void WebSocketRelay::end_both() {
  client_.stop_reading();
  origin_.abort();
}

// Both directions have ended: nobody else writes to the client now.
Task<void> WebSocketRelay::close_client() {
  if (client_is_gone_) co_return;
  client_.resume();
  const std::string_view close = down_.close(stop_->close_code, stop_->what);
  const StreamError sent = co_await client_.send_body(close);
  if (sent != StreamError::none) co_return;
  const FieldList no_trailers;
  co_await client_.finish(no_trailers);
}

}  // namespace egret
