#include "certs/authority.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/pem.h>

#include "certs/authority_parts.h"
#include "certs/openssl_owned.h"
#include "certs/profile.h"

namespace egret {
namespace {

using Clock = CertificateAuthority::Clock;

constexpr std::size_t common_name_max = 64;  // RFC 5280 appendix A: ub-common-name

// A sandbox's name is for people here; identity is the key. Cut where an attribute must end.
std::string authority_name(std::string_view sandbox) {
  constexpr std::string_view before = "Egret CA (";
  std::string name{before};
  for (const char c : sandbox.substr(0, common_name_max - before.size() - 1)) {
    name += c >= ' ' && c <= '~' ? c : '?';
  }
  return name + ")";
}

bool fill_authority(X509* certificate, EVP_PKEY* key, std::string_view sandbox,
                    const AuthorityOptions& options, Clock::time_point now) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_random_serial(certificate) &&
         set_validity(certificate, now - backdating, now + options.lifetime) &&
         add_to_name(subject, "CN", authority_name(sandbox)) &&
         add_to_name(subject, "O", "Egret") && X509_set_issuer_name(certificate, subject) == 1 &&
         X509_set_pubkey(certificate, key) == 1 && add_basic_constraints(certificate, true) &&
         add_key_usage(certificate, KU_KEY_CERT_SIGN | KU_CRL_SIGN) &&
         add_subject_key_id(certificate) &&
         (!options.name_constraints ||
          add_name_constraints(certificate, options.permitted_names)) &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool fill_template(X509* leaf, const X509* issuer, EVP_PKEY* issuer_key, EVP_PKEY* leaf_key) {
  return X509_set_version(leaf, X509_VERSION_3) == 1 &&
         X509_set_issuer_name(leaf, X509_get_subject_name(issuer)) == 1 &&
         X509_set_pubkey(leaf, leaf_key) == 1 && set_random_serial(leaf) &&
         set_validity(leaf, Clock::time_point{}, Clock::time_point{}) &&
         add_basic_constraints(leaf, false) && add_key_usage(leaf, KU_DIGITAL_SIGNATURE) &&
         add_server_usage(leaf) && add_subject_key_id(leaf) && add_authority_key_id(leaf, issuer) &&
         X509_sign(leaf, issuer_key, EVP_sha256()) > 0;
}

bool name_leaf(X509* leaf, const Host& host) {
  const bool named = !host.is_address() && host.text().size() <= common_name_max;
  if (named && !add_to_name(X509_get_subject_name(leaf), "CN", host.text())) return false;
  return add_alternative_name(leaf, host, named ? Critical::no : Critical::yes);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string{};
}

}  // namespace

Result<std::unique_ptr<CertificateAuthority::Parts>, CertFault> CertificateAuthority::Parts::make(
    PkeyPtr key, X509Ptr certificate) {
  auto parts = std::make_unique<Parts>();
  parts->key = std::move(key);
  parts->certificate = std::move(certificate);
  parts->not_after = end_of(parts->certificate.get());
  parts->leaf_key = generate_p256();
  const X509Ptr leaf{X509_new()};
  if (!parts->leaf_key || !leaf ||
      !fill_template(leaf.get(), parts->certificate.get(), parts->key.get(),
                     parts->leaf_key.get())) {
    return openssl_fault("cannot prepare the leaf certificates");
  }
  const int size = i2d_X509(leaf.get(), nullptr);
  if (size <= 0) return openssl_fault("cannot prepare the leaf certificates");
  parts->leaf_template.resize(static_cast<std::size_t>(size));
  unsigned char* out = parts->leaf_template.data();
  i2d_X509(leaf.get(), &out);
  return parts;
}

Result<CertificateAuthority, CertFault> CertificateAuthority::generate(
    std::string_view sandbox, const AuthorityOptions& options, Clock::time_point now) {
  if (options.lifetime <= std::chrono::hours{0}) {
    return CertFault{"a CA needs a lifetime of at least an hour"};
  }
  if (options.name_constraints && options.permitted_names.empty()) {
    return CertFault{"name constraints need at least one permitted name"};
  }
  PkeyPtr key = generate_p256();
  X509Ptr certificate{X509_new()};
  if (!key || !certificate ||
      !fill_authority(certificate.get(), key.get(), sandbox, options, now)) {
    return openssl_fault("cannot make a CA for sandbox " + std::string(sandbox));
  }
  auto parts = Parts::make(std::move(key), std::move(certificate));
  if (!parts) return parts.error();
  return CertificateAuthority{std::move(*parts)};
}

Result<Leaf, CertFault> CertificateAuthority::mint(const Host& host, Clock::time_point now) const {
  const Clock::time_point until = std::min(now + leaf_lifetime, parts_->not_after);
  if (until <= now) {
    return CertFault{
        "the CA has expired; run `egret ca init --rotate` and start the sandbox again"};
  }
  const unsigned char* in = parts_->leaf_template.data();
  X509Ptr leaf{d2i_X509(nullptr, &in, static_cast<long>(parts_->leaf_template.size()))};
  if (!leaf || !set_random_serial(leaf.get()) ||
      !set_validity(leaf.get(), now - backdating, until) || !name_leaf(leaf.get(), host) ||
      X509_sign(leaf.get(), parts_->key.get(), EVP_sha256()) <= 0) {
    return openssl_fault("cannot mint a certificate for " + host.text());
  }
  settle(leaf.get());
  const Clock::time_point not_after = end_of(leaf.get());
  return Leaf{std::move(leaf), parts_->leaf_key.get(), parts_->certificate.get(), not_after};
}

std::string CertificateAuthority::certificate_pem() const {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  if (!bio || PEM_write_bio_X509(bio.get(), parts_->certificate.get()) != 1) return {};
  return text_of(bio.get());
}

std::string CertificateAuthority::describe() const {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (!bio || X509_digest(certificate(), EVP_sha256(), digest.data(), &size) != 1) return {};
  BIO_puts(bio.get(), "subject:     ");
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate()), 0, XN_FLAG_ONELINE);
  BIO_puts(bio.get(), "\nSHA-256:     ");
  for (unsigned int i = 0; i < size; ++i) {
    BIO_printf(bio.get(), i == 0 ? "%02X" : ":%02X", static_cast<unsigned>(digest[i]));
  }
  BIO_puts(bio.get(), "\nvalid from:  ");
  ASN1_TIME_print(bio.get(), X509_get0_notBefore(certificate()));
  BIO_puts(bio.get(), "\nvalid until: ");
  ASN1_TIME_print(bio.get(), X509_get0_notAfter(certificate()));
  BIO_puts(bio.get(), "\n");
  return text_of(bio.get());
}

X509* CertificateAuthority::certificate() const {
  return parts_->certificate.get();
}
Clock::time_point CertificateAuthority::not_after() const {
  return parts_->not_after;
}

CertificateAuthority::CertificateAuthority(std::unique_ptr<Parts> parts)
    : parts_(std::move(parts)) {
  settle(parts_->certificate.get());
}
CertificateAuthority::CertificateAuthority(CertificateAuthority&&) noexcept = default;
CertificateAuthority& CertificateAuthority::operator=(CertificateAuthority&&) noexcept = default;
CertificateAuthority::~CertificateAuthority() = default;

}  // namespace egret
