// What may stand for us at an origin: a certificate, its chain, and a key that is ours alone.
#include "certs/client_identity.h"

#include <filesystem>

#include <doctest/doctest.h>

#include "tests/certs/temporary_directory.h"
#include "tests/certs/zoo.h"

namespace {

using namespace egret;
using namespace egret::test;

std::string pem_of_key(EVP_PKEY* key, const char* passphrase = nullptr) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  const int bytes = passphrase != nullptr ? static_cast<int>(std::string(passphrase).size()) : 0;
  const EVP_CIPHER* cipher = passphrase != nullptr ? EVP_aes_128_cbc() : nullptr;
  must(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, cipher, passphrase, bytes, nullptr, nullptr) ==
           1,
       "key");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

struct Client {
  Client() {
    write_file(directory / "client.pem",
               pem_of(leaf.certificate.get()) + pem_of(issuer.certificate.get()), 0644);
    write_file(directory / "client.key", pem_of_key(leaf.key.get()));
  }
  std::string fault(const std::string& cert, const std::string& key) const {
    const auto loaded = load_client_identity(directory / cert, directory / key);
    CHECK(ERR_peek_error() == 0);
    return loaded ? "none" : loaded.error().what;
  }

  Made issuer = make(ca_recipe("client CA"));
  Made leaf = make(leaf_recipe("DNS:client.test"), &issuer);
  TemporaryDirectory directory;
};

}  // namespace

TEST_CASE("a client identity is its certificate, the chain behind it, and the key") {
  const Client client;
  const auto loaded =
      load_client_identity(client.directory / "client.pem", client.directory / "client.key");
  REQUIRE(loaded.has_value());
  CHECK(X509_cmp(loaded->certificate.get(), client.leaf.certificate.get()) == 0);
  REQUIRE(loaded->chain.size() == 1);
  CHECK(X509_cmp(loaded->chain[0].get(), client.issuer.certificate.get()) == 0);
  CHECK(EVP_PKEY_eq(loaded->key.get(), client.leaf.key.get()) == 1);
}

TEST_CASE("certificate and key may stand in one file, which then is private") {
  const Client client;
  const std::string both =
      pem_of(client.leaf.certificate.get()) + pem_of_key(client.leaf.key.get());
  write_file(client.directory / "both.pem", both);
  CHECK(client.fault("both.pem", "both.pem") == "none");
  write_file(client.directory / "both.pem", both, 0640);
  CHECK(client.fault("both.pem", "both.pem").find("chmod 600") != std::string::npos);
}

TEST_CASE("files that are no client identity are refused with their name and what to do") {
  const Client client;
  const TemporaryDirectory& directory = client.directory;
  const std::string key = pem_of_key(client.leaf.key.get());
  write_file(directory / "loose.key", key, 0640);
  std::filesystem::create_symlink(directory / "client.key", directory / "link.key");
  write_file(directory / "locked.key", pem_of_key(client.leaf.key.get(), "opensesame"));
  write_file(directory / "other.key", pem_of_key(client.issuer.key.get()));
  write_file(directory / "text.key", "no key\n");
  write_file(directory / "cut.key", key.substr(0, key.size() / 2));
  write_file(directory / "large.key", std::string(65 * 1024, 'k'));
  const PkeyPtr weak{EVP_RSA_gen(1024)};
  write_file(directory / "weak.key", pem_of_key(weak.get()));
  const struct {
    const char* cert;
    const char* key;
    const char* says;
  } rows[] = {
      {"client.pem", "loose.key", "loose.key: other users may read or change it; run `chmod 600 "},
      {"client.pem", "link.key", "link.key: is a symbolic link"},
      {"client.pem", "missing.key", "missing.key: cannot be opened: No such file"},
      {"client.pem", ".", "not a regular file"},
      {"client.pem", "locked.key", "the key has a passphrase; write it without one"},
      {"client.pem", "other.key", "other.key: is not the key of the first certificate in "},
      {"client.pem", "text.key", "text.key: holds no private key"},
      {"client.pem", "cut.key", "cut.key: holds no private key"},
      {"client.pem", "large.key", "large.key: larger than 64 KiB"},
      {"client.pem", "weak.key", "weak.key: the key is too weak"},
      {"missing.pem", "client.key", "missing.pem: cannot read certificates"},
      {"client.key", "client.key", "client.key: holds no PEM certificate"},
  };
  for (const auto& row : rows) {
    const std::string fault = client.fault(row.cert, row.key);
    CAPTURE(fault);
    CHECK(fault.find(row.says) != std::string::npos);
  }
}
