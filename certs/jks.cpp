// The JKS key store, version 2, as the JDK's sun.security.provider.JavaKeyStore reads it:
// big-endian; magic, version, count; for each trusted certificate a tag, an alias, a date, a type
// and the DER; at the end a SHA-1 over password, a phrase and everything before.
#include <array>
#include <cstdint>
#include <set>
#include <string>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs/openssl_owned.h"
#include "certs/trust.h"

namespace egret {
namespace {

constexpr std::uint32_t magic = 0xfeedfeed;
constexpr std::uint32_t version = 2;
constexpr std::uint32_t trusted_certificate = 2;
constexpr std::string_view password = "changeit";  // what the JDK's own trust store has; no secret
constexpr std::string_view phrase = "Mighty Aphrodite";

void put_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

void put_u32(std::string& out, std::size_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value);
}

void put_text(std::string& out, std::string_view ascii) {
  put_u16(out, ascii.size());
  out += ascii;
}

void put_certificate(std::string& out, std::size_t number, std::string_view der) {
  put_u32(out, trusted_certificate);
  put_text(out, "egret-" + std::to_string(number));
  out.append(8, '\0');  // the entry's date: fixed, so that equal bundles give equal stores
  put_text(out, "X.509");
  put_u32(out, der.size());
  out += der;
}

// The base64 of each certificate, decoded only: the JVM parses them.
std::set<std::string> certificates_of(std::string_view pem) {
  std::set<std::string> all;
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (bio && PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    if (std::string_view{name} == PEM_STRING_X509) {
      all.emplace(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  ERR_clear_error();
  return all;
}

}  // namespace

std::string jks_trust_store(std::string_view bundle_pem) {
  const std::set<std::string> certificates = certificates_of(bundle_pem);
  std::string store;
  put_u32(store, magic);
  put_u32(store, version);
  put_u32(store, certificates.size());
  std::size_t number = 0;
  for (const std::string& der : certificates)
    put_certificate(store, ++number, der);

  std::string signed_bytes;
  for (const char c : password)
    put_u16(signed_bytes, static_cast<unsigned char>(c));
  signed_bytes += phrase;
  signed_bytes += store;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(signed_bytes.data(), signed_bytes.size(), digest.data(), &size, EVP_sha1(),
                 nullptr) != 1) {
    ERR_clear_error();
    return {};
  }
  store.append(reinterpret_cast<const char*>(digest.data()), size);
  return store;
}

}  // namespace egret
