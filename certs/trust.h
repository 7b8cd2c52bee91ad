// What origins are verified against, and what the sandbox is told to trust.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include "certs/authority.h"
#include "policy/result.h"
#include "policy/target/host.h"

namespace egret {

struct FreeStore {
  void operator()(X509_STORE* store) const noexcept;
};
using StorePtr = std::unique_ptr<X509_STORE, FreeStore>;

// The system's roots (Debian: /etc/ssl/certs/ca-certificates.crt) and `ca_files`. Takes about 20
// ms: load once, off the start-up path. A ca_file that cannot be read or holds no certificate is a
// fault. The store brings a verify callback of its own: set none on the SSL.
Result<StorePtr, CertFault> load_origin_trust(const std::vector<std::string>& ca_files);

// Puts the rules of ATTACKS C01, C02 and C04 on a verification: the name (or IP SAN) of this host
// and nothing else, no CN fallback, no partial wildcards, server purpose, X509_STRICT, security
// level 2, depth 8. Call on SSL_get0_param(ssl) before the handshake.
bool require_host(X509_VERIFY_PARAM* param, const Host& host);
// The same host check again on a finished handshake, resumed or not (C03).
bool certificate_is_for(X509* certificate, const Host& host);

// PEM: system roots + origin ca_files + this sandbox's CA. Existing roots are kept (FIELD): a
// tunnelled host still verifies.
std::string bundle_pem(std::string_view system_roots_pem,
                       const std::vector<std::string>& more_pems);
std::string read_system_roots();

// The same certificates as a JKS trust store for JVMs, password `changeit`, at no parsing cost
// worth naming (about 1 ms).
std::string jks_trust_store(std::string_view bundle_pem);

}  // namespace egret
