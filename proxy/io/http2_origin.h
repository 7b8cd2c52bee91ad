// The origin's side of an HTTP/2 connection: any number of exchanges at once, up to what the origin
// allows, all of one sandbox and one target (ATTACKS C07, E15, E16).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/io/dialer.h"
#include "proxy/io/http1_origin.h"
#include "proxy/io/http2_connection.h"

namespace egret {

class Http2OriginConnection final : public Http2Connection,
                                    public std::enable_shared_from_this<Http2OriginConnection> {
 public:
  // Its coroutines keep it alive until it ends: by the origin, or when it has rested long enough.
  static std::shared_ptr<Http2OriginConnection> start(OriginStream origin,
                                                      const Http2Limits& limits,
                                                      const OriginTimeouts& timeouts);

  // One more exchange is possible now.
  bool has_room() { return !ended() && !retired_ && session().has_room(promised_); }
  std::unique_ptr<OriginExchange> begin(std::string method);
  // No new exchange; those that are there end in peace.
  void retire();

 private:
  friend class Http2OriginExchange;
  Http2OriginConnection(OriginStream origin, const Http2Limits& limits,
                        const OriginTimeouts& timeouts);
  void on_response(StreamId id, ResponseHead head) override;

  OriginStream origin_;
  OriginTimeouts timeouts_;
  std::uint32_t promised_ = 0;  // exchanges whose heads have not been sent
  bool retired_ = false;
};

}  // namespace egret
