// One request and its response as the session sees them, whatever HTTP version is on the wire. A
// codec with its connection implements both sides; HTTP/2 is one more implementation beside HTTP/1.
// Nothing here buffers a body: every piece is handed on before the next is read. Behind a 101 the
// bodies are the bytes of the protocol that was agreed on, until either side ends.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "policy/result.h"
#include "proxy/exchange/reply.h"
#include "proxy/io/asio.h"
#include "proxy/io/stream.h"
#include "proxy/wire/message.h"

namespace egret {

// Why a message could not be read to its end.
struct BodyFault {
  StreamError stream = StreamError::none;  // the connection broke
  std::optional<WireFault> wire;           // or the peer broke the rules
};

// Some body data, valid until the next read. `end` comes with or after the last of it.
struct BodyPiece {
  std::string_view data;
  bool end = false;
};

class ClientExchange {
 public:
  virtual ~ClientExchange() = default;
  virtual const RequestHead& head() const = 0;
  virtual BodyLength request_length() const = 0;

  virtual Task<Result<BodyPiece, BodyFault>> read_body() = 0;
  // Of the request, once its body has ended.
  virtual const FieldList& trailers() const = 0;
  virtual Task<StreamError> send_continue() = 0;
  virtual Task<StreamError> send_interim(const ResponseHead& head) = 0;
  // `length` none: the message is complete with its head. `first` may be empty.
  virtual Task<StreamError> send_head(const ResponseHead& head, BodyLength length,
                                      std::string_view first) = 0;
  virtual Task<StreamError> send_body(std::string_view data) = 0;
  virtual Task<StreamError> finish(const FieldList& trailers) = 0;
  // Ends a read that is being awaited, e.g. because the response is already complete.
  virtual void stop_reading() = 0;
  virtual void resume() = 0;
  // The connection ends behind this response.
  virtual void close_after_response() = 0;
  // Called once if the client gives up before it has the whole response, where the version can tell
  // at once (a reset stream).
  virtual void when_given_up(std::function<void()>) {}
  // What was begun cannot be completed: the client must not take it for whole.
  virtual void abort() = 0;
  // A head has been sent; no reply of our own is possible any more.
  virtual bool responded() const = 0;
  // Whether the client can be sent chunks; else a body of unknown length ends with the connection.
  virtual bool takes_chunks() const = 0;
  // Whether it understands fields behind a body.
  virtual bool takes_trailers() const = 0;
};

// Whether a request that got no answer may be sent once more on another connection.
enum class Replay : std::uint8_t {
  never,
  if_idempotent,  // an idle connection turned out to be closed (RFC 9110 9.2.2)
  always,         // the origin has surely not acted on it (RFC 9113 8.7)
};

class OriginExchange {
 public:
  virtual ~OriginExchange() = default;
  virtual Task<StreamError> send_head(const RequestHead& head, BodyLength length,
                                      std::string_view first) = 0;
  virtual Task<StreamError> send_body(std::string_view data) = 0;
  virtual Task<StreamError> finish_request(const FieldList& trailers) = 0;

  // Also interim heads (1xx).
  virtual Task<Result<ResponseHead, BodyFault>> read_head() = 0;
  virtual BodyLength response_length() const = 0;
  virtual Task<Result<BodyPiece, BodyFault>> read_body() = 0;
  virtual bool body_at_hand() const = 0;  // a read would not wait
  virtual const FieldList& trailers() const = 0;
  // The body ended with a TLS connection that did not say so.
  virtual bool maybe_truncated() const { return false; }
  // Once reading a head has failed.
  virtual Replay replay() const = 0;
  virtual const std::string& address() const = 0;  // as dialled
  // Breaks whatever the other direction is waiting for.
  virtual void abort() = 0;
};

}  // namespace egret
