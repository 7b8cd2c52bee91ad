#include "certs/pem_file.h"

#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs/openssl_owned.h"

namespace egret {
namespace {

constexpr std::size_t bundle_bytes_max = 8 * 1024 * 1024;

}  // namespace

Result<std::string, CertFault> read_pem_file(const std::string& path) {
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  std::string text;
  std::array<char, 64 * 1024> piece{};
  while (text.size() <= bundle_bytes_max) {
    file.read(piece.data(), piece.size());
    if (file.gcount() == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (text.empty()) {
    const std::string why = errno != 0 ? std::generic_category().message(errno) : "empty";
    return CertFault{path + ": cannot read certificates: " + why};
  }
  if (text.size() > bundle_bytes_max) {
    return CertFault{path + ": larger than 8 MiB; give a PEM file of certificates"};
  }
  return {boost::system::in_place_value, std::move(text)};
}

Result<std::vector<X509Ptr>, CertFault> parse_certificates(const std::string& pem,
                                                           const std::string& path) {
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  if (!bio) return openssl_fault("cannot read " + path);
  std::vector<X509Ptr> found;
  ERR_clear_error();
  while (X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    settle(certificate.get());
    found.push_back(std::move(certificate));
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return openssl_fault(path + ": certificate " + std::to_string(found.size() + 1) +
                         " is damaged");
  }
  ERR_clear_error();
  if (found.empty()) {
    return CertFault{path + ": holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)"};
  }
  return {boost::system::in_place_value, std::move(found)};
}

Result<std::vector<X509Ptr>, CertFault> load_certificates(const std::string& path) {
  const auto pem = read_pem_file(path);
  if (!pem) return pem.error();
  return parse_certificates(*pem, path);
}

}  // namespace egret
