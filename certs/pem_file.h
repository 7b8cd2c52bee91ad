// Certificates from PEM files that a person named: all of a file, or a fault that names it.
#pragma once

#include <string>
#include <vector>

#include "certs/authority.h"
#include "policy/result.h"

namespace egret {

// At most 8 MiB of text.
Result<std::string, CertFault> read_pem_file(const std::string& path);
// At least one certificate; one that is damaged is a fault. `path` is for the fault's text.
Result<std::vector<X509Ptr>, CertFault> parse_certificates(const std::string& pem,
                                                           const std::string& path);
Result<std::vector<X509Ptr>, CertFault> load_certificates(const std::string& path);

}  // namespace egret
