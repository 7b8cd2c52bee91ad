// The files of one sandbox below the state directory, `<state>/sandboxes/<name>/`: its CA (key
// 0600) and what its clients trust. For `serve`, `env` and `ca`; `run` keeps all of it in memory.
#pragma once

#include <string>

#include "certs/authority.h"
#include "proxy/server/setup.h"

namespace egret {

struct TrustFiles {
  std::string bundle;       // ca-bundle.pem
  std::string trust_store;  // truststore.jks
};
TrustFiles trust_files(const Config& config, const std::string& sandbox);
TrustFiles trust_files_in(const std::string& directory);

Result<CertificateAuthority, Failure> sandbox_authority(const Config& config,
                                                        const std::string& sandbox);
Result<CertificateAuthority, Failure> rotate_sandbox_authority(const Config& config,
                                                               const std::string& sandbox);
Result<void, Failure> write_trust_files(const Config& config, const std::string& sandbox,
                                        const CertificateAuthority& authority);
// The same elsewhere, for clients that do not see the state directory; made 0755 if missing.
Result<void, Failure> write_trust_files_in(const std::string& directory, const Config& config,
                                           const CertificateAuthority& authority);

}  // namespace egret
