// The client's side of an HTTP/2 connection: every stream is a ClientExchange of its own, begun in
// the order of arrival and at most `streams_max` at once, however fast they are begun and reset
// (ATTACKS E01). A WebSocket over an extended CONNECT looks like an HTTP/1.1 upgrade (RFC 8441).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "proxy/io/http1_client.h"
#include "proxy/io/http2_connection.h"

namespace egret {

class Http2ClientConnection final : public Http2Connection {
 public:
  // A request, or what was none and is to be answered so.
  struct Arrival {
    std::unique_ptr<ClientExchange> exchange;
    std::optional<WireFault> fault;
  };
  // Takes an arrival and serves it; the exchange must not outlive the connection.
  using Serve = std::function<void(Arrival)>;

  Http2ClientConnection(Stream& stream, const Http2Limits& limits, const ClientTimeouts& timeouts,
                        Serve serve);

  // To the end of the connection and of every exchange. The fault that ended it, if it was one.
  Task<std::optional<WireFault>> run();

 private:
  friend class Http2ClientExchange;
  struct Waiting {
    std::shared_ptr<Http2Stream> stream;
    Http2Request request;
    std::optional<WireFault> fault;
  };

  void on_request(StreamId id, Http2Request request) override;
  void on_malformed(StreamId id, Http2Request request, const WireFault& fault) override;
  void received() override { serve_waiting(); }
  void on_ended() override { to_serve_.notify(); }
  Task<void> serve();
  void serve_waiting();
  void exchange_over();

  ClientTimeouts timeouts_;
  Serve serve_;
  std::uint32_t exchanges_max_;
  std::deque<Waiting> waiting_;
  std::uint32_t exchanges_ = 0;
  Event to_serve_;
  Event all_over_;
};

}  // namespace egret
