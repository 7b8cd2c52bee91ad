#include "proxy/io/tls.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace egret {
namespace {

constexpr std::uint64_t common_options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;

SslContextPtr make_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), common_options);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

constexpr std::string_view http1_only("\x08http/1.1", 9);
constexpr std::string_view http2_first("\x02h2\x08http/1.1", 12);

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* in, unsigned int in_bytes, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_bytes, octets(http2_first), http2_first.size(), in,
                            in_bytes) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* sink = static_cast<SessionSink*>(SSL_get_app_data(ssl));
  if (sink == nullptr || sink->sessions == nullptr) return 0;
  sink->sessions->keep(sink->key, SslSessionPtr(session));
  return 1;
}

}  // namespace

void FreeSslContext::operator()(SSL_CTX* context) const noexcept {
  SSL_CTX_free(context);
}
void FreeSslSession::operator()(SSL_SESSION* session) const noexcept {
  SSL_SESSION_free(session);
}

ClientTls::ClientTls() : context_(make_context(TLS_server_method())) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_alpn_select_cb(context, &select_protocol, nullptr);
}

SslPtr ClientTls::session(const std::shared_ptr<const Leaf>& leaf) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) throw std::bad_alloc();
  SSL_use_certificate(ssl.get(), leaf->certificate.get());
  SSL_use_PrivateKey(ssl.get(), leaf->key);
  SSL_add1_chain_cert(ssl.get(), leaf->issuer);
  return ssl;
}

SSL_SESSION* OriginSessions::find(const std::string& key) const {
  const auto found = sessions_.find(key);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void OriginSessions::keep(const std::string& key, SslSessionPtr session) {
  if (sessions_.size() >= sessions_max && !sessions_.contains(key))
    sessions_.erase(sessions_.begin());
  sessions_.insert_or_assign(key, std::move(session));
}

OriginTls::OriginTls(StorePtr trust, std::vector<ClientCertificate> certificates)
    : context_(make_context(TLS_client_method())), certificates_(std::move(certificates)) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_cert_store(context, trust.release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &keep_session);
}

bool agreed_on_http2(const SSL* ssl) {
  const unsigned char* protocol = nullptr;
  unsigned bytes = 0;
  if (ssl != nullptr) SSL_get0_alpn_selected(ssl, &protocol, &bytes);
  return bytes == 2 && protocol[0] == 'h' && protocol[1] == '2';
}

// OpenSSL sends it behind the verification of the server's own, and only where it is asked for.
bool OriginTls::add_certificate(SSL* ssl, const Host& host) const {
  for (const auto& [hosts, identity] : certificates_) {
    const bool meant = std::any_of(hosts.begin(), hosts.end(),
                                   [&](const HostPattern& one) { return one.matches(host); });
    if (!meant) continue;
    bool added = SSL_use_certificate(ssl, identity.certificate.get()) == 1 &&
                 SSL_use_PrivateKey(ssl, identity.key.get()) == 1;
    for (const X509Ptr& certificate : identity.chain)
      added = added && SSL_add1_chain_cert(ssl, certificate.get()) == 1;
    return added;
  }
  return true;
}

SslPtr OriginTls::session(const Host& host, SessionSink& sink, HttpOffer offer) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) throw std::bad_alloc();
  if (!require_host(SSL_get0_param(ssl.get()), host)) return nullptr;
  if (!add_certificate(ssl.get(), host)) return nullptr;
  if (!host.is_address()) {  // SSL_set_tlsext_host_name, without its C cast
    std::string name = host.text();
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  }
  const std::string_view protocols = offer == HttpOffer::http1 ? http1_only : http2_first;
  SSL_set_alpn_protos(ssl.get(), octets(protocols), static_cast<unsigned>(protocols.size()));
  SSL_set_app_data(ssl.get(), &sink);
  if (sink.sessions != nullptr) {
    if (SSL_SESSION* session = sink.sessions->find(sink.key)) SSL_set_session(ssl.get(), session);
  }
  return ssl;
}

}  // namespace egret
