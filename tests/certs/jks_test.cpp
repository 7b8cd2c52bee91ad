#include <array>
#include <cstdio>

#include <doctest/doctest.h>

#include "certs/trust.h"
#include "tests/certs/temporary_directory.h"
#include "tests/certs/zoo.h"

using namespace egret;
using namespace egret::test;

namespace {

std::string output_of(const std::string& command) {
  const Owned<std::FILE, ::pclose> pipe{::popen(command.c_str(), "r")};
  std::string text;
  std::array<char, 4096> part{};
  while (std::fgets(part.data(), part.size(), pipe.get()) != nullptr)
    text += part.data();
  return text;
}

}  // namespace

TEST_CASE("a trust store begins as JKS version 2 and counts each certificate once") {
  const std::string one = pem_of(make(ca_recipe("one")).certificate.get());
  const std::string two = pem_of(make(ca_recipe("two")).certificate.get());
  using std::string_literals::operator""s;
  CHECK(jks_trust_store(one + two + one).substr(0, 12) == "\xfe\xed\xfe\xed\0\0\0\2\0\0\0\2"s);
  CHECK(jks_trust_store("no certificate").size() == 12 + 20);
  CHECK(jks_trust_store(one + two) == jks_trust_store(two + one));
}

TEST_CASE("a JDK reads the trust store, checks its seal and finds our CA in it") {
  if (std::system("keytool -help >/dev/null 2>&1") != 0) {
    MESSAGE("SKIPPED: no keytool here; install a JRE to check the trust store against a JDK");
    return;
  }
  const auto authority = CertificateAuthority::generate("web", {});
  REQUIRE(authority.has_value());
  const std::string store =
      jks_trust_store(bundle_pem(read_system_roots(), {authority->certificate_pem()}));
  const TemporaryDirectory directory;
  const std::string command = "keytool -J-Xshare:auto -list -v -storepass changeit -keystore " +
                              directory / "trust.jks" + " 2>&1";

  write_file(directory / "trust.jks", store);
  const std::string listed = output_of(command);
  CHECK(listed.find("trustedCertEntry") != std::string::npos);
  CHECK(listed.find("CN=Egret CA (web)") != std::string::npos);

  std::string damaged = store;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  write_file(directory / "trust.jks", damaged);
  CHECK(output_of(command).find("tampered") != std::string::npos);
}
