// Certificates of every bad kind, and a TLS handshake in memory to show them to.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "certs/openssl_owned.h"
#include "certs/trust.h"

namespace egret::test {

using ContextPtr = Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = Owned<SSL, SSL_free>;

inline Host host_of(std::string_view text) {
  auto host = Host::parse(text);
  if (!host) throw std::runtime_error("bad host in a test: " + std::string(text));
  return *host;
}

struct Made {
  X509Ptr certificate;
  PkeyPtr key;
};

struct Recipe {
  std::string common_name = "zoo";
  std::string alternative_names;  // `DNS:a.test,IP:192.0.2.1`
  std::string raw_dns_name;       // one dNSName, any bytes
  std::vector<std::pair<int, std::string>> extensions = {};
  bool authority_key_id = true;
  bool subject_key_id = true;
  int from_days = -1;
  int until_days = 30;
  int rsa_bits = 0;  // 0: P-256
  const EVP_MD* digest = EVP_sha256();
};

inline Recipe leaf_recipe(std::string alternative_names) {
  Recipe recipe;
  recipe.common_name = "leaf";
  recipe.alternative_names = std::move(alternative_names);
  return recipe;
}

inline Recipe ca_recipe(std::string name, std::string constraints = "critical,CA:TRUE") {
  Recipe recipe;
  recipe.common_name = std::move(name);
  recipe.extensions = {{NID_basic_constraints, std::move(constraints)},
                       {NID_key_usage, "critical,keyCertSign,cRLSign"}};
  return recipe;
}

inline void must(bool worked, const char* what) {
  if (!worked) throw std::runtime_error(openssl_fault(what).what);
}

inline void add_conf(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension{
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
  must(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "extension");
}

inline void add_raw_dns_name(X509* certificate, const std::string& name) {
  std::string der = {0x30, static_cast<char>(name.size() + 2), static_cast<char>(0x82),
                     static_cast<char>(name.size())};
  der += name;
  const Asn1OctetsPtr value{ASN1_OCTET_STRING_new()};
  ASN1_OCTET_STRING_set(value.get(), reinterpret_cast<const unsigned char*>(der.data()),
                        static_cast<int>(der.size()));
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension{
      X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 0, value.get())};
  must(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "raw name");
}

// `issuer` null: signed by itself.
inline Made make(const Recipe& recipe, const Made* issuer = nullptr) {
  static long serial = 1;
  Made made{X509Ptr{X509_new()},
            PkeyPtr{recipe.rsa_bits != 0 ? EVP_RSA_gen(static_cast<unsigned>(recipe.rsa_bits))
                                         : EVP_EC_gen("P-256")}};
  X509* certificate = made.certificate.get();
  X509* by = issuer != nullptr ? issuer->certificate.get() : certificate;
  must(certificate != nullptr && made.key != nullptr, "key");
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_time_adj_ex(X509_getm_notBefore(certificate), recipe.from_days, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(certificate), recipe.until_days, 0, nullptr);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(recipe.common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(by));
  X509_set_pubkey(certificate, made.key.get());
  if (recipe.subject_key_id) add_conf(certificate, by, NID_subject_key_identifier, "hash");
  if (recipe.authority_key_id && issuer != nullptr) {
    add_conf(certificate, by, NID_authority_key_identifier, "keyid");
  }
  if (!recipe.alternative_names.empty()) {
    add_conf(certificate, by, NID_subject_alt_name, recipe.alternative_names);
  }
  if (!recipe.raw_dns_name.empty()) add_raw_dns_name(certificate, recipe.raw_dns_name);
  for (const auto& [nid, value] : recipe.extensions)
    add_conf(certificate, by, nid, value);
  EVP_PKEY* signer = issuer != nullptr ? issuer->key.get() : made.key.get();
  must(X509_sign(certificate, signer, recipe.digest) > 0, "sign");
  return made;
}

inline std::string pem_of(const X509* certificate) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(bio.get(), certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

struct Handshake {
  bool connected = false;
  long verify_error = X509_V_ERR_UNSPECIFIED;
  bool for_host = false;  // certificate_is_for() of what the server showed
};

// A server that shows `chain` (leaf first) against a client that trusts `roots`. The client's own
// security level is 0: whatever is refused, require_host() refused it.
inline Handshake shake(const std::vector<X509*>& chain, EVP_PKEY* key, X509_STORE* roots,
                       const Host& host) {
  const ContextPtr server_context{SSL_CTX_new(TLS_server_method())};
  SSL_CTX_set_security_level(server_context.get(), 0);
  must(SSL_CTX_use_certificate(server_context.get(), chain.front()) == 1, "certificate");
  must(SSL_CTX_use_PrivateKey(server_context.get(), key) == 1, "key");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(server_context.get(), chain[i]);
  }
  const ContextPtr client_context{SSL_CTX_new(TLS_client_method())};
  SSL_CTX_set_security_level(client_context.get(), 0);
  SSL_CTX_set1_cert_store(client_context.get(), roots);
  SSL_CTX_set_verify(client_context.get(), SSL_VERIFY_PEER, nullptr);

  const SslPtr server{SSL_new(server_context.get())};
  const SslPtr client{SSL_new(client_context.get())};
  must(require_host(SSL_get0_param(client.get()), host), "require_host");
  BIO* client_end = nullptr;
  BIO* server_end = nullptr;
  BIO_new_bio_pair(&client_end, 1 << 17, &server_end, 1 << 17);
  SSL_set_bio(client.get(), client_end, client_end);
  SSL_set_bio(server.get(), server_end, server_end);
  SSL_set_connect_state(client.get());
  SSL_set_accept_state(server.get());

  Handshake result;
  for (int turn = 0; turn < 10 && !result.connected; ++turn) {
    const bool client_done = SSL_do_handshake(client.get()) == 1;
    const bool server_done = SSL_do_handshake(server.get()) == 1;
    result.connected = client_done && server_done;
  }
  ERR_clear_error();
  result.verify_error = SSL_get_verify_result(client.get());
  result.for_host = certificate_is_for(chain.front(), host);
  return result;
}

}  // namespace egret::test
