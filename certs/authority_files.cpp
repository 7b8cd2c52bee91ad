#include <optional>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs/authority.h"
#include "certs/authority_parts.h"
#include "certs/openssl_owned.h"
#include "certs/private_directory.h"
#include "policy/secret/secret.h"

namespace egret {
namespace {

constexpr const char* key_file = "ca.key";
constexpr const char* certificate_file = "ca.pem";
// The new certificate waits here until the new key is in place; see finish_rotation().
constexpr const char* next_certificate_file = "ca.pem.next";
constexpr std::size_t file_bytes_max = 64 * 1024;

// Encrypted keys are not ours: without this OpenSSL would ask on the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

BioPtr reader_of(const std::string& pem) {
  return BioPtr{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
}

PkeyPtr parse_key(const std::string& pem) {
  const BioPtr bio = reader_of(pem);
  return PkeyPtr{bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr};
}

X509Ptr parse_certificate(const std::string& pem) {
  const BioPtr bio = reader_of(pem);
  return X509Ptr{bio ? PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr) : nullptr};
}

bool belong_together(X509* certificate, EVP_PKEY* key) {
  const bool same = certificate != nullptr && X509_check_private_key(certificate, key) == 1;
  ERR_clear_error();  // OpenSSL queues a reason for "no"
  return same;
}

CertFault advise(std::string path, std::string_view what) {
  return CertFault{std::move(path.append(": ").append(what).append(
      "; run `egret ca init --rotate` to make a new CA in its place"))};
}

// Rotation is two renames, the key's first. One that was cut between them left the certificate of
// the key in place under its waiting name.
Result<X509Ptr, CertFault> finish_rotation(const PrivateDirectory& directory, EVP_PKEY* key) {
  auto pem = directory.read(next_certificate_file, file_bytes_max);
  if (!pem) return CertFault{pem.error().what};
  X509Ptr certificate = *pem ? parse_certificate(**pem) : nullptr;
  if (!belong_together(certificate.get(), key)) {
    return advise(directory.path_of(certificate_file), "missing, or not the certificate of ca.key");
  }
  if (auto renamed = directory.rename(next_certificate_file, certificate_file); !renamed) {
    return CertFault{renamed.error().what};
  }
  return certificate;
}

struct KeyAndCertificate {
  PkeyPtr key;
  X509Ptr certificate;
};

// Nothing where there is neither file.
Result<std::optional<KeyAndCertificate>, CertFault> read_pair(const PrivateDirectory& directory) {
  auto key_pem = directory.read(key_file, file_bytes_max);
  if (!key_pem) return CertFault{key_pem.error().what};
  auto certificate_pem = directory.read(certificate_file, file_bytes_max);
  if (!certificate_pem) {
    if (*key_pem) wipe(**key_pem);
    return CertFault{certificate_pem.error().what};
  }
  if (!*key_pem) {
    if (!*certificate_pem) return std::optional<KeyAndCertificate>{};
    return advise(directory.path_of(key_file), "missing, but its certificate is there");
  }
  KeyAndCertificate pair;
  pair.key = parse_key(**key_pem);
  wipe(**key_pem);
  if (!pair.key) return advise(directory.path_of(key_file), openssl_fault("not a PEM key").what);
  pair.certificate = *certificate_pem ? parse_certificate(**certificate_pem) : nullptr;
  if (!belong_together(pair.certificate.get(), pair.key.get())) {
    auto finished = finish_rotation(directory, pair.key.get());
    if (!finished) return finished.error();
    pair.certificate = std::move(*finished);
  }
  return std::optional<KeyAndCertificate>{std::move(pair)};
}

std::optional<CertFault> unusable(X509* certificate, const std::string& path) {
  if (X509_check_ca(certificate) != 1) return advise(path, "not a CA certificate");
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) return advise(path, "expired");
  return std::nullopt;
}

std::string key_pem_of(EVP_PKEY* key) {
  const BioPtr bio{BIO_new(BIO_s_mem())};  // wiped when freed
  char* data = nullptr;
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return {};
  }
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

enum class Replace { refuse, existing };

Result<void, CertFault> write_pair(const PrivateDirectory& directory, EVP_PKEY* key,
                                   const std::string& certificate_pem, Replace replace) {
  auto written = directory.replace(next_certificate_file, certificate_pem);
  if (written) {
    std::string key_pem = key_pem_of(key);
    if (key_pem.empty()) return openssl_fault("cannot write the CA key");
    written = replace == Replace::existing ? directory.replace(key_file, key_pem)
                                           : directory.create(key_file, key_pem);
    wipe(key_pem);
  }
  if (written) written = directory.rename(next_certificate_file, certificate_file);
  if (!written) return CertFault{written.error().what};
  return {};
}

}  // namespace

Result<CertificateAuthority, CertFault> CertificateAuthority::load(const std::string& path) {
  auto directory = PrivateDirectory::open(path, PrivateDirectory::Missing::refuse);
  if (!directory) return CertFault{directory.error().what};
  auto pair = read_pair(*directory);
  if (!pair) return pair.error();
  if (!*pair) return CertFault{path + ": no CA here; run `egret ca init`"};
  if (auto fault = unusable((*pair)->certificate.get(), directory->path_of(certificate_file))) {
    return std::move(*fault);
  }
  auto parts = Parts::make(std::move((*pair)->key), std::move((*pair)->certificate));
  if (!parts) return parts.error();
  return CertificateAuthority{std::move(*parts)};
}

Result<CertificateAuthority, CertFault> CertificateAuthority::load_or_create(
    const std::string& path, std::string_view sandbox, const AuthorityOptions& options) {
  {
    auto directory = PrivateDirectory::open(path, PrivateDirectory::Missing::create);
    if (!directory) return CertFault{directory.error().what};
    auto pair = read_pair(*directory);
    if (!pair) return pair.error();
    if (!*pair) {
      auto made = generate(sandbox, options);
      if (!made) return made.error();
      auto written =
          write_pair(*directory, made->parts_->key.get(), made->certificate_pem(), Replace::refuse);
      if (!written) return written.error();
      return made;
    }
  }
  return load(path);
}

Result<CertificateAuthority, CertFault> CertificateAuthority::rotate(
    const std::string& path, std::string_view sandbox, const AuthorityOptions& options) {
  auto made = generate(sandbox, options);
  if (!made) return made.error();
  auto directory = PrivateDirectory::open(path, PrivateDirectory::Missing::create);
  if (!directory) return CertFault{directory.error().what};
  auto written =
      write_pair(*directory, made->parts_->key.get(), made->certificate_pem(), Replace::existing);
  if (!written) return written.error();
  return made;
}

}  // namespace egret
