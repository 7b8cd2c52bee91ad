// One request and its response, from admission to the end of its record: the I/O around the pure
// steps of proxy/exchange. Read run() from top to bottom: that is the life of a request.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/exchange/body_guard.h"
#include "proxy/exchange/exchange.h"
#include "proxy/exchange/response_guard.h"
#include "proxy/io/http.h"
#include "proxy/session/audit_scope.h"
#include "proxy/session/worker.h"

namespace egret {

class ExchangeSession final : public LongLived {
 public:
  // Borrowed for its life: everything; the owner is the connection's coroutine.
  ExchangeSession(Worker& worker, Sandbox& sandbox, const ConnectionFacts& connection,
                  const Ingress& ingress, ClientExchange& client);
  ~ExchangeSession();

  Task<void> run();
  // For a request that was none: its record and its answer.
  Task<void> run_malformed(const WireFault& fault);

 private:
  static const FieldList no_trailers;

  void policy_changed() override;
  void client_gave_up();

  Task<void> refuse(const Refusal& refusal);
  Task<void> reply_unrecorded();
  Task<void> reply(const Refusal& refusal);
  Task<void> fail(const Refusal& refusal);
  Task<bool> connect();
  Task<bool> connect_afresh();
  Task<bool> goes_on();
  Task<bool> connect_again();
  Task<bool> dial(const std::vector<CheckedAddress>& addresses);
  Task<void> relay();
  Task<void> upload(BodyGuard& guard);
  Task<bool> upload_piece(BodyPiece piece, BodyGuard& guard);
  Task<void> download();
  Task<std::optional<ResponseHead>> read_response_head();
  Task<bool> send_request_head(BodyLength length);
  Task<void> relay_body(ResponseHead& head);
  Task<bool> relay_piece(BodyPiece piece, ResponseGuard& guard, ResponseHead& head,
                         BodyLength length);
  Task<void> relay_websocket(const ResponseHead& head);
  void response_broke(const BodyFault& fault);
  void give_back_connection();
  BodyLength length_for_origin(const BodyGuard& guard) const;
  HttpOffer offer() const;
  bool shareable() const;

  Worker& worker_;
  Sandbox& sandbox_;
  const ConnectionFacts& connection_;
  const Ingress& ingress_;
  ClientExchange& client_;
  SnapshotPtr snapshot_;
  AuditScope audit_;
  Admission admission_;
  // What may share an origin's connections and TLS sessions with this exchange.
  std::string pool_key_;
  std::unique_ptr<OriginExchange> origin_;
  bool from_pool_ = false;
  bool repeated_ = false;
  bool upload_done_ = false;
  bool response_done_ = false;
  std::optional<Refusal> refusal_;  // why the relay ended early
};

}  // namespace egret
