// One client connection, from its first byte to its last: how it was captured says where it may go,
// then its requests are served one by one, or it is relayed as a tunnel, or refused in words.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "proxy/exchange/ingress.h"
#include "proxy/io/http2_client.h"
#include "proxy/io/read_buffer.h"
#include "proxy/io/socket_address.h"
#include "proxy/io/stream.h"
#include "proxy/session/attachment.h"
#include "proxy/session/audit_scope.h"
#include "proxy/session/worker.h"
#include "proxy/wire/client_hello.h"
#include "proxy/wire/socks5.h"

namespace egret {

// What a listener knows about every connection it accepts.
struct ListenerFacts {
  Capture capture = Capture::forward;  // forward (TCP), unix_socket, netns or redirect
  std::shared_ptr<Sandbox> sandbox;    // null: credentials name it
  std::uint16_t own_port = 0;          // netns, redirect: a connection to it was not redirected
  mutable std::atomic<std::size_t> unidentified{
      0};  // connections that have not said whose they are
};

// Serves the connection to its end, or until its namespace is detached. Owns everything it needs.
Task<void> serve_connection(Worker& worker, std::shared_ptr<const ListenerFacts> listener,
                            StreamSocket socket, AttachmentPartPtr part);

class Connection final : public std::enable_shared_from_this<Connection>,
                         public AttachmentPart::Member {
 public:
  Connection(Worker& worker, std::shared_ptr<const ListenerFacts> listener, StreamSocket socket,
             AttachmentPartPtr part);
  ~Connection();

  Task<void> run();

 private:
  void detached() override;
  bool transparent() const {
    return listener_->capture == Capture::netns || listener_->capture == Capture::redirect;
  }

  // capture_explicit.cpp: HTTP proxy, CONNECT, SOCKS5 on one listener
  Task<void> run_explicit();
  Task<void> run_proxy_http();
  Task<void> run_connect(ClientExchange& client);
  Task<void> run_socks();
  Task<bool> identify(ClientExchange& client);
  bool identify(std::string_view user, std::string_view token);
  bool counted_in();

  // capture_transparent.cpp: connections redirected in a namespace or on the host
  Task<void> run_transparent();

  // connection.cpp: what they have in common, once the target's host and port are known
  Task<void> run_captured(std::optional<Host> host, std::uint16_t port);
  Task<void> run_tls(const std::optional<Host>& host, std::uint16_t port, const ClientHello& hello);
  Task<void> serve_http(const Ingress& ingress);
  Task<void> serve_http2(const Ingress& ingress);
  static Task<void> serve_stream(std::shared_ptr<Connection> self, const Ingress& ingress,
                                 Http2ClientConnection::Arrival arrival);
  Task<std::unique_ptr<ClientExchange>> next_request(Http1ClientConnection& http);
  Task<bool> accept_tls(const Target& target, bool refused);
  Task<void> linger();

  // tunnel.cpp
  Task<void> run_tunnel(const Permit& permit);

  Task<void> refuse_connection(Reason reason, const Target* target, std::string_view rule = {},
                               std::string_view detail = {});
  Task<void> refuse_unspoken(const std::optional<Host>& host, std::uint16_t port, Reason otherwise);
  Task<void> refuse_tls(Reason reason, const Target* target);  // alert 112
  Task<void> answer_malformed(const WireFault& fault);
  Sandbox& sandbox() { return *sandbox_; }

  Worker& worker_;
  std::shared_ptr<const ListenerFacts> listener_;
  AttachmentPartPtr part_;  // null: cannot be detached
  std::shared_ptr<Sandbox> sandbox_;
  ConnectionFacts facts_;
  Stream stream_;
  ReadBuffer buffer_;
  std::optional<Http2ClientConnection> http2_;
  Ingress http2_ingress_;
  std::string original_address_;   // transparent: as the client dialled it
  std::optional<Target> settled_;  // of a TLS connection that we terminate
  unsigned requests_ = 0;          // that have a record of their own
  bool recorded_ = false;          // as a connection
  bool unidentified_ = false;      // counted among the listener's
};

}  // namespace egret
