// The origin's side of an HTTP/1 connection: one exchange at a time, kept for the next one only
// where both messages were whole and nothing is left over (ATTACKS C07, D14).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "proxy/io/dialer.h"
#include "proxy/io/http.h"
#include "proxy/io/http1_body.h"
#include "proxy/io/read_buffer.h"
#include "proxy/wire/http1.h"

namespace egret {

struct OriginTimeouts {
  std::chrono::milliseconds head{
      300000};  // from the request to the response's head: models think long
  std::chrono::milliseconds body{600000};       // for the next piece of a body, and for a write
  std::chrono::milliseconds upgraded{3600000};  // for either, behind a 101
  std::chrono::milliseconds pooled{30000};
};

class Http1OriginConnection final : public OriginExchange {
 public:
  Http1OriginConnection(OriginStream origin, const Http1Limits& limits,
                        const OriginTimeouts& timeouts);

  // Begins the next exchange on this connection.
  void begin(std::string request_method);

  Task<StreamError> send_head(const RequestHead& head, BodyLength length,
                              std::string_view first) override;
  Task<StreamError> send_body(std::string_view data) override;
  Task<StreamError> finish_request(const FieldList& trailers) override;
  Task<Result<ResponseHead, BodyFault>> read_head() override;
  BodyLength response_length() const override { return length_; }
  Task<Result<BodyPiece, BodyFault>> read_body() override;
  const FieldList& trailers() const override { return body_.trailers(); }
  void abort() override { origin_.stream->close(); }

  // Each request is for the proxy that stands between; it carries no upgrade.
  bool asks_proxy() const { return origin_.proxy != nullptr; }
  // The exchange is over and another may follow.
  bool reusable() const;
  // On an idle connection: nothing has arrived since, the origin has not closed it, it is not too
  // old.
  bool still_good() const { return origin_.stream->quiet(); }
  bool maybe_truncated() const override { return body_.maybe_truncated(); }
  Replay replay() const override {
    return exchanges_ > 1 && !answered_ ? Replay::if_idempotent : Replay::never;
  }
  // Body bytes are at hand without waiting.
  bool body_at_hand() const override { return !buffer_.empty(); }
  void rest() {
    body_.release();
    buffer_.release_if_empty();
    origin_.stream->limit(timeouts_.pooled);
  }

  const std::string& address() const override { return origin_.address; }

 private:
  Stream& stream() { return *origin_.stream; }
  void append_absolute_form(std::string& out, const RequestHead& head, BodyLength length) const;

  OriginStream origin_;
  ReadBuffer buffer_;
  Http1BodyReader body_;
  Http1Limits limits_;
  OriginTimeouts timeouts_;
  std::string method_;
  BodyLength request_;
  BodyLength length_;
  unsigned exchanges_ = 0;  // begun on this connection
  bool sent_ = false;
  bool keep_ = false;
  bool answered_ = false;  // bytes of a response have been seen in this exchange
  bool head_read_ = false;
  bool upgraded_ = false;
};

}  // namespace egret
