// What an CertificateAuthority is made of; for certs/authority*.cpp only.
#pragma once

#include <memory>
#include <vector>

#include "certs/authority.h"

namespace egret {

struct CertificateAuthority::Parts {
  PkeyPtr key;
  X509Ptr certificate;
  PkeyPtr leaf_key;
  // A leaf that lacks only what differs between leaves: serial, validity, subject and SAN.
  std::vector<unsigned char> leaf_template;
  Clock::time_point not_after;

  // Makes the leaf key and the template. The key belongs to the certificate.
  static Result<std::unique_ptr<Parts>, CertFault> make(PkeyPtr key, X509Ptr certificate);
};

}  // namespace egret
