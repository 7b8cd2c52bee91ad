// A certificate with its key and chain that the gate shows to an origin which asks for one
// (`origins.client_certs`). The key is a secret: its file must be its owner's alone.
#pragma once

#include <string>
#include <vector>

#include "certs/authority.h"
#include "policy/result.h"

namespace egret {

// Immutable, any thread.
struct ClientIdentity {
  X509Ptr certificate;
  std::vector<X509Ptr> chain;  // what else the file holds, in its order
  PkeyPtr key;
};

// Both PEM, and perhaps one and the same file. The key without a passphrase, in a private file that
// is no link; it belongs to the first certificate. The fault names the file and what to do.
Result<ClientIdentity, CertFault> load_client_identity(const std::string& cert_file,
                                                       const std::string& key_file);

}  // namespace egret
