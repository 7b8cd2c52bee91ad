#include "proxy/session/websocket_relay.h"

#include <optional>
#include <string>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace egret {
namespace {

constexpr std::chrono::minutes idle_max{60};

}  // namespace

Task<WebSocketEnd> WebSocketRelay::run() {
  using namespace asio::experimental::awaitable_operators;
  WebSocketFrames up(WebSocketSide::client, deflate_);
  WebSocketFrames down(WebSocketSide::server, deflate_);
  co_await (pump(client_, client_buffer_, origin_, up, end_.bytes_up) &&
            pump(origin_, origin_buffer_, client_, down, end_.bytes_down));
  end_.frames_up = up.frames();
  end_.frames_down = down.frames();
  co_return end_;
}

Task<void> WebSocketRelay::pump(Stream& from, ReadBuffer& buffer, Stream& to,
                                WebSocketFrames& frames, std::uint64_t& bytes) {
  // Equal length, so that no frame's length changes. What clients send is masked: nothing to see
  // there.
  const std::shared_ptr<const Needles> needles = &from == &origin_ ? snapshot_.mask : nullptr;
  std::optional<StreamReplacer> redactor(std::in_place, needles);
  std::string out;
  while (true) {
    if (buffer.empty()) {
      from.limit(idle_max);
      const StreamError error = co_await buffer.fill(from);
      if (error == StreamError::end) {
        end_.redactions += redactor->replaced();
        co_await to.finish_writing();
        if (!frames.close_seen()) to.interrupt();  // one side has gone without a close frame
        co_return;
      }
      if (error != StreamError::none) break;
    }
    if (!frames.feed(buffer.view())) {
      end_.error = &from == &client_ ? Reason::framing_invalid : Reason::upstream_framing;
      break;
    }
    to.limit(idle_max);
    bytes += buffer.view().size();
    out.clear();
    redactor->push(buffer.view(), out);
    if (frames.between_frames()) {
      // A whole frame never waits for the next one.
      redactor->finish(out);
      end_.redactions += redactor->replaced();
      redactor.emplace(needles);
    }
    const StreamError written = co_await to.write(out);
    if (written != StreamError::none) break;
    buffer.consume(buffer.view().size());
  }
  end_.redactions += redactor->replaced();
  from.interrupt();
  to.interrupt();
}

}  // namespace egret
