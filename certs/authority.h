// A sandbox's own certificate authority: P-256, `pathlen:0`, certificate and CRL signing only.
// Every sandbox has one of its own, trusted nowhere else (DESIGN invariant 9, ATTACKS J01-J03).
// `egret run` makes one in memory; `serve` keeps it below the state directory.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include "policy/result.h"
#include "policy/target/host.h"

namespace egret {

// What went wrong, with the path where there is one, and what to do.
struct CertFault {
  std::string what;
};

struct FreePkey {
  void operator()(EVP_PKEY* key) const noexcept;
};
struct FreeX509 {
  void operator()(X509* certificate) const noexcept;
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, FreePkey>;
using X509Ptr = std::unique_ptr<X509, FreeX509>;

// A minted server certificate, parsed and ready for SSL_use_certificate. Immutable, shared.
struct Leaf {
  X509Ptr certificate;
  EVP_PKEY* key = nullptr;  // owned by the CertificateAuthority
  X509* issuer = nullptr;   // sent as the chain; owned by the CertificateAuthority
  std::chrono::system_clock::time_point not_after;
};

struct AuthorityOptions {
  std::chrono::hours lifetime{24 * 30};
  bool name_constraints = false;  // restrict to `permitted_names` (option, off by default)
  std::vector<std::string> permitted_names;
};

// Thread rule: immutable after construction; mint() may be called from any thread.
// Not `Authority`: that is a host and port (policy/target/target.h).
class CertificateAuthority {
 public:
  using Clock = std::chrono::system_clock;

  static Result<CertificateAuthority, CertFault> generate(std::string_view sandbox,
                                                          const AuthorityOptions& options,
                                                          Clock::time_point now = Clock::now());

  // `directory/ca.key` (0600, O_EXCL) and `directory/ca.pem` in a 0700 directory. A key that others
  // can read, a symlink, or files that do not belong together are refused, never repaired.
  static Result<CertificateAuthority, CertFault> load(const std::string& directory);
  static Result<CertificateAuthority, CertFault> load_or_create(const std::string& directory,
                                                                std::string_view sandbox,
                                                                const AuthorityOptions& options);
  // Makes a new key and certificate in place of the old ones, atomically.
  static Result<CertificateAuthority, CertFault> rotate(const std::string& directory,
                                                        std::string_view sandbox,
                                                        const AuthorityOptions& options);

  CertificateAuthority(CertificateAuthority&&) noexcept;
  CertificateAuthority& operator=(CertificateAuthority&&) noexcept;
  ~CertificateAuthority();

  // SAN = exactly the host (an IP SAN for an address), 7 days, backdated an hour, profile as J03.
  // The leaf key is one P-256 key per authority.
  Result<Leaf, CertFault> mint(const Host& host, Clock::time_point now = Clock::now()) const;

  std::string certificate_pem() const;
  // For people: subject, SHA-256 fingerprint, validity.
  std::string describe() const;
  X509* certificate() const;
  Clock::time_point not_after() const;

 private:
  struct Parts;
  explicit CertificateAuthority(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace egret
