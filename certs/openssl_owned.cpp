#include "certs/openssl_owned.h"

#include <array>
#include <utility>

#include <openssl/err.h>

namespace egret {

void settle(X509* certificate) noexcept {
  X509_check_purpose(certificate, -1, 0);  // -1: no purpose, only the parsing
}

void FreePkey::operator()(EVP_PKEY* key) const noexcept {
  EVP_PKEY_free(key);
}
void FreeX509::operator()(X509* certificate) const noexcept {
  X509_free(certificate);
}

CertFault openssl_fault(std::string what) {
  if (const unsigned long code = ERR_peek_error(); code != 0) {
    std::array<char, 256> text{};
    ERR_error_string_n(code, text.data(), text.size());
    what += ": ";
    what += text.data();
  }
  ERR_clear_error();
  return CertFault{std::move(what)};
}

}  // namespace egret
