#include "proxy/session/websocket_relay.h"

#include <optional>
#include <string>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace egret {

Task<WebSocketEnd> WebSocketRelay::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (pump_up() && pump_down());
  co_return end_;
}

void WebSocketRelay::stop() {
  client_.stop_reading();
  origin_.abort();
}

// What clients send is masked: nothing to see there.
Task<void> WebSocketRelay::pump_up() {
  WebSocketFrames frames(WebSocketSide::client, deflate_);
  while (true) {
    const auto piece = co_await client_.read_body();
    if (!piece) break;
    if (!frames.feed(piece->data)) {
      end_.error = Reason::framing_invalid;
      break;
    }
    end_.bytes_up += piece->data.size();
    end_.frames_up = frames.frames();
    const StreamError sent = co_await origin_.send_body(piece->data);
    if (sent != StreamError::none) break;
    if (piece->end) {
      const FieldList no_trailers;
      co_await origin_.finish_request(no_trailers);
      if (frames.close_seen()) co_return;
      break;  // it has gone without a close frame
    }
  }
  stop();
}

// Secrets are masked at equal length, so that no frame's length changes.
Task<void> WebSocketRelay::pump_down() {
  WebSocketFrames frames(WebSocketSide::server, deflate_);
  std::optional<StreamReplacer> redactor(std::in_place, snapshot_.mask);
  std::string out;
  while (true) {
    const auto piece = co_await origin_.read_body();
    if (!piece) break;
    if (!frames.feed(piece->data)) {
      end_.error = Reason::upstream_framing;
      break;
    }
    end_.bytes_down += piece->data.size();
    end_.frames_down = frames.frames();
    out.clear();
    redactor->push(piece->data, out);
    if (frames.between_frames()) {
      // A whole frame never waits for the next one.
      redactor->finish(out);
      end_.redactions += redactor->replaced();
      redactor.emplace(snapshot_.mask);
    }
    const StreamError sent = co_await client_.send_body(out);
    if (sent != StreamError::none) break;
    if (piece->end) {
      const FieldList no_trailers;
      co_await client_.finish(no_trailers);
      if (frames.close_seen()) co_return;
      break;
    }
  }
  end_.redactions += redactor->replaced();
  stop();
}

}  // namespace egret
