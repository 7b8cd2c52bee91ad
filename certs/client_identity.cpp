#include "certs/client_identity.h"

#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs/openssl_owned.h"
#include "certs/pem_file.h"
#include "certs/private_file.h"
#include "policy/secret/secret.h"

namespace egret {
namespace {

constexpr std::size_t key_bytes_max = 64 * 1024;
constexpr int security_bits_min = 112;  // RSA 2048, P-224: what both sides accept

// Never asks on the terminal.
int note_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<PkeyPtr, CertFault> load_key(const std::string& path) {
  auto pem = read_private_file(path, key_bytes_max);
  if (!pem) return CertFault{path + ": " + pem.error().what};
  PkeyPtr key;
  bool passphrase = false;
  if (const BioPtr bio{BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size()))}) {
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, &note_passphrase, &passphrase));
  }
  wipe(*pem);
  ERR_clear_error();
  if (passphrase) {
    return CertFault{path + ": the key has a passphrase; write it without one: `openssl pkey -in " +
                     path + " -out client.key`, and `chmod 600` that file"};
  }
  if (!key) {
    return CertFault{path + ": holds no private key in PEM (`-----BEGIN PRIVATE KEY-----`)"};
  }
  if (EVP_PKEY_get_security_bits(key.get()) < security_bits_min) {
    return CertFault{path + ": the key is too weak; use P-256, or RSA of at least 2048 bits"};
  }
  return {boost::system::in_place_value, std::move(key)};
}

}  // namespace

Result<ClientIdentity, CertFault> load_client_identity(const std::string& cert_file,
                                                       const std::string& key_file) {
  auto certificates = load_certificates(cert_file);
  if (!certificates) return certificates.error();
  auto key = load_key(key_file);
  if (!key) return key.error();
  ClientIdentity identity;
  identity.certificate = std::move(certificates->front());
  certificates->erase(certificates->begin());
  identity.chain = std::move(*certificates);
  identity.key = std::move(*key);
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) {
    ERR_clear_error();
    return CertFault{key_file + ": is not the key of the first certificate in " + cert_file +
                     "; name the two that belong together"};
  }
  return {boost::system::in_place_value, std::move(identity)};
}

}  // namespace egret
