#include "certs/trust.h"

#include <cstdio>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "certs/openssl_owned.h"
#include "certs/pem_file.h"

namespace egret {
namespace {

constexpr const char* system_roots_file = "/etc/ssl/certs/ca-certificates.crt";
constexpr int chain_depth_max = 8;
constexpr int security_level = 2;  // 112 bits: RSA 2048, P-224; no SHA-1
constexpr unsigned host_flags =
    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

Result<void, CertFault> add_certificates(X509_STORE* store, const std::string& pem,
                                         const std::string& path) {
  const auto certificates = parse_certificates(pem, path);
  if (!certificates) return certificates.error();
  for (const X509Ptr& certificate : *certificates) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) return openssl_fault(path);
  }
  return {};
}

// STRICT also asks of the last certificate that it describes itself well. That one is trusted
// because the operator named it; `openssl req -x509` leaves its key usage out. What it signed gets
// no mercy.
int accept_bare_anchor(int ok, X509_STORE_CTX* context) {
  if (ok == 1) return 1;
  const int error = X509_STORE_CTX_get_error(context);
  const bool about_itself = error == X509_V_ERR_CA_CERT_MISSING_KEY_USAGE ||
                            error == X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER;
  const int anchor_depth = sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1;
  if (!about_itself || X509_STORE_CTX_get_error_depth(context) != anchor_depth) return 0;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

const unsigned char* address_data(const IpAddress& address) {
  return address.bytes().data();
}
std::size_t address_size(const IpAddress& address) {
  return address.is_v4() ? 4 : 16;
}

}  // namespace

void FreeStore::operator()(X509_STORE* store) const noexcept {
  X509_STORE_free(store);
}

Result<StorePtr, CertFault> load_origin_trust(const std::vector<std::string>& ca_files) {
  StorePtr store{X509_STORE_new()};
  if (!store) return openssl_fault("cannot make a trust store");
  X509_STORE_set_verify_cb(store.get(), accept_bare_anchor);
  const auto system_roots = read_pem_file(system_roots_file);
  if (system_roots) {
    if (auto added = add_certificates(store.get(), *system_roots, system_roots_file); !added) {
      return added.error();
    }
  } else if (ca_files.empty()) {
    return CertFault{system_roots.error().what +
                     "; install the package ca-certificates or name `origins.ca_files`"};
  }
  for (const std::string& path : ca_files) {
    const auto pem = read_pem_file(path);
    if (!pem) return pem.error();
    if (auto added = add_certificates(store.get(), *pem, path); !added) return added.error();
  }
  return store;
}

bool require_host(X509_VERIFY_PARAM* param, const Host& host) {
  // OpenSSL takes an empty name for "do not check", and a leading dot for "anything below".
  if (param == nullptr || host.text().empty() || host.text().front() == '.') return false;
  X509_VERIFY_PARAM_set_hostflags(param, host_flags);
  X509_VERIFY_PARAM_set_depth(param, chain_depth_max);
  X509_VERIFY_PARAM_set_auth_level(param, security_level);
  const bool strict = X509_VERIFY_PARAM_set_flags(
                          param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
                      X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) == 1 &&
                      X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_SERVER) == 1;
  if (!strict) return false;
  if (const auto& address = host.address()) {
    return X509_VERIFY_PARAM_set1_host(param, nullptr, 0) == 1 &&
           X509_VERIFY_PARAM_set1_ip(param, address_data(*address), address_size(*address)) == 1;
  }
  return X509_VERIFY_PARAM_set1_ip(param, nullptr, 0) == 1 &&
         X509_VERIFY_PARAM_set1_host(param, host.text().data(), host.text().size()) == 1;
}

bool certificate_is_for(X509* certificate, const Host& host) {
  if (certificate == nullptr || host.text().empty() || host.text().front() == '.') return false;
  // Faults are negative: anything but 1 is no.
  if (const auto& address = host.address()) {
    return X509_check_ip(certificate, address_data(*address), address_size(*address), host_flags) ==
           1;
  }
  return X509_check_host(certificate, host.text().data(), host.text().size(), host_flags,
                         nullptr) == 1;
}

std::string read_system_roots() {
  auto roots = read_pem_file(system_roots_file);
  return roots ? std::move(*roots) : std::string{};
}

std::string bundle_pem(std::string_view system_roots_pem,
                       const std::vector<std::string>& more_pems) {
  std::string bundle{system_roots_pem};
  for (const std::string& pem : more_pems) {
    if (!bundle.empty() && bundle.back() != '\n') bundle += '\n';
    bundle += pem;
  }
  if (!bundle.empty() && bundle.back() != '\n') bundle += '\n';
  return bundle;
}

}  // namespace egret
