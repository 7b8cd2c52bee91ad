// TLS on both sides: one server context for every client connection with the leaf set per
// connection, one client context for every origin (DESIGN part 9). Both TLS 1.2 or newer, no
// renegotiation, no compression, no early data; towards clients no resumption (ATTACKS C01-C10).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <openssl/ssl.h>

#include "certs/authority.h"
#include "certs/client_identity.h"
#include "certs/trust.h"
#include "policy/decide/host_pattern.h"
#include "policy/result.h"
#include "policy/target/host.h"
#include "proxy/io/stream.h"

namespace egret {

struct FreeSslContext {
  void operator()(SSL_CTX* context) const noexcept;
};
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeSslContext>;

// Thread rule: immutable, any thread.
class ClientTls {
 public:
  ClientTls();
  // For one client connection, with the leaf of the name it asked for.
  SslPtr session(const std::shared_ptr<const Leaf>& leaf) const;

 private:
  SslContextPtr context_;
};

struct FreeSslSession {
  void operator()(SSL_SESSION* session) const noexcept;
};
using SslSessionPtr = std::unique_ptr<SSL_SESSION, FreeSslSession>;

// Sessions of origins that one worker may resume, by pool key. Verification is never skipped: the
// certificate's name is checked again on every handshake (ATTACKS C03).
class OriginSessions {
 public:
  static constexpr std::size_t sessions_max = 512;
  SSL_SESSION* find(const std::string& key) const;
  void keep(const std::string& key, SslSessionPtr session);
  void clear() { sessions_.clear(); }

 private:
  std::unordered_map<std::string, SslSessionPtr> sessions_;
};

// Where the tickets of one origin connection go. Outlives its SSL.
struct SessionSink {
  OriginSessions* sessions = nullptr;
  std::string key;
};

// What an origin is offered by ALPN.
enum class HttpOffer : std::uint8_t { http1, http2_and_http1 };
// What was agreed on.
bool agreed_on_http2(const SSL* ssl);

// What is shown to these origins if they ask for a certificate, once they have proved their name.
struct ClientCertificate {
  std::vector<HostPattern> hosts;
  ClientIdentity identity;
};

// Thread rule: immutable, any thread.
class OriginTls {
 public:
  // No host is covered by two of the certificates.
  explicit OriginTls(StorePtr trust, std::vector<ClientCertificate> certificates = {});
  // Verifies for exactly this host; null where it cannot be asked for. Resumes a session of the
  // sink's key where there is one.
  SslPtr session(const Host& host, SessionSink& sink, HttpOffer offer) const;

 private:
  bool add_certificate(SSL* ssl, const Host& host) const;

  SslContextPtr context_;
  std::vector<ClientCertificate> certificates_;
};

}  // namespace egret
