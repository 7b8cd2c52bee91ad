#include "proxy/server/sandbox_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <utility>

#include "certs/trust.h"
#include "proxy/server/text_file.h"

namespace egret {
namespace {

constexpr std::chrono::hours served_lifetime{24 * 365};
constexpr unsigned readable_by_all = 0644;

AuthorityOptions options() {
  AuthorityOptions options;
  options.lifetime = served_lifetime;
  return options;
}

Result<CertificateAuthority, Failure> checked(Result<CertificateAuthority, CertFault> made) {
  if (!made) return Failure{"egret: " + made.error().what, 2};
  return std::move(*made);
}

}  // namespace

TrustFiles trust_files(const Config& config, const std::string& sandbox) {
  return trust_files_in(sandbox_directory(config, sandbox));
}

TrustFiles trust_files_in(const std::string& directory) {
  return {directory + "/ca-bundle.pem", directory + "/truststore.jks"};
}

Result<CertificateAuthority, Failure> sandbox_authority(const Config& config,
                                                        const std::string& sandbox) {
  return checked(
      CertificateAuthority::load_or_create(sandbox_directory(config, sandbox), sandbox, options()));
}

Result<CertificateAuthority, Failure> rotate_sandbox_authority(const Config& config,
                                                               const std::string& sandbox) {
  return checked(
      CertificateAuthority::rotate(sandbox_directory(config, sandbox), sandbox, options()));
}

namespace {

// In the private state directory, a bundle that says the same already stays: a gate of a thousand
// sandboxes that starts again has nothing to write.
enum class Write { Always, WhenChanged };

Result<void, Failure> write(const TrustFiles& files, const Config& config,
                            const CertificateAuthority& authority, Write when) {
  auto bundle = trust_bundle(config, authority);
  if (!bundle) return bundle.error();
  if (when == Write::WhenChanged && std::filesystem::exists(files.trust_store)) {
    const auto there = read_text_file(files.bundle);
    if (there && *there == *bundle) return {};
  }
  if (auto written = write_text_file(files.bundle, *bundle, readable_by_all); !written)
    return written;
  return write_text_file(files.trust_store, jks_trust_store(*bundle), readable_by_all);
}

}  // namespace

Result<void, Failure> write_trust_files(const Config& config, const std::string& sandbox,
                                        const CertificateAuthority& authority) {
  return write(trust_files(config, sandbox), config, authority, Write::WhenChanged);
}

Result<void, Failure> write_trust_files_in(const std::string& directory, const Config& config,
                                           const CertificateAuthority& authority) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return Failure{"egret: cannot make " + directory + ": " + std::strerror(errno), 2};
  }
  return write(trust_files_in(directory), config, authority, Write::Always);
}

}  // namespace egret
