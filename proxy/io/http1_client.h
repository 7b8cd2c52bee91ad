// The client's side of an HTTP/1 connection: requests one after the other (RFC 9112 9.3), each as a
// ClientExchange. Pipelined requests wait in the read buffer until the one before is answered.
#pragma once

#include <chrono>
#include <memory>
#include <variant>

#include "proxy/io/http.h"
#include "proxy/io/read_buffer.h"
#include "proxy/wire/http1.h"

namespace egret {

struct ClientTimeouts {
  std::chrono::milliseconds idle{60000};        // between requests
  std::chrono::milliseconds head{10000};        // from a head's first byte to its last
  std::chrono::milliseconds body{60000};        // for the next piece of a body, and for a write
  std::chrono::milliseconds upgraded{3600000};  // for either, behind a 101
};

class Http1ClientConnection {
 public:
  Http1ClientConnection(Stream& stream, ReadBuffer& buffer, const Http1Limits& limits,
                        const ClientTimeouts& timeouts)
      : stream_(stream), buffer_(buffer), limits_(limits), timeouts_(timeouts) {}

  enum class End { closed };  // the client has gone or was silent: nothing to answer
  // The next request, or what ends the connection: a fault is to be answered.
  using Next = std::variant<std::unique_ptr<ClientExchange>, WireFault, End>;
  Task<Next> next();

  // The exchange is over: whether another request may follow on this connection.
  bool reusable() const { return reusable_; }

 private:
  friend class Http1ClientExchange;
  Stream& stream_;
  ReadBuffer& buffer_;
  Http1Limits limits_;
  ClientTimeouts timeouts_;
  bool reusable_ = true;
};

// A reply of our own to something that was no request we could read; then the connection ends.
Task<void> send_last_reply(Stream& stream, const Reply& reply);

}  // namespace egret
