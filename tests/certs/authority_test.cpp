#include "certs/authority.h"

#include <set>

#include <doctest/doctest.h>

#include "certs/profile.h"
#include "tests/certs/zoo.h"

using namespace egret;
using namespace egret::test;
using namespace std::chrono_literals;

namespace {

CertificateAuthority an_authority(
    const AuthorityOptions& options = {},
    CertificateAuthority::Clock::time_point now = CertificateAuthority::Clock::now()) {
  auto made = CertificateAuthority::generate("web", options, now);
  REQUIRE(made.has_value());
  return std::move(*made);
}

Leaf leaf_of(const CertificateAuthority& authority, std::string_view host) {
  auto leaf = authority.mint(host_of(host));
  REQUIRE(leaf.has_value());
  return std::move(*leaf);
}

StorePtr store_of(const CertificateAuthority& authority) {
  StorePtr store{X509_STORE_new()};
  X509_STORE_add_cert(store.get(), authority.certificate());
  return store;
}

std::string text_of_extension(X509* certificate, int nid, int& critical) {
  const int at = X509_get_ext_by_NID(certificate, nid, -1);
  if (at < 0) return "none";
  X509_EXTENSION* extension = X509_get_ext(certificate, at);
  critical = X509_EXTENSION_get_critical(extension);
  const BioPtr bio{BIO_new(BIO_s_mem())};
  X509V3_EXT_print(bio.get(), extension, 0, 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

struct Extension {
  int nid;
  std::string text;
  int critical;
};

void check_extensions(X509* certificate, const std::vector<Extension>& expected) {
  for (const Extension& extension : expected) {
    CAPTURE(OBJ_nid2sn(extension.nid));
    int critical = -1;
    CHECK(text_of_extension(certificate, extension.nid, critical) == extension.text);
    CHECK(critical == extension.critical);
  }
}

std::string serial_of(X509* certificate) {
  const BignumPtr number{ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr)};
  char* hex = BN_bn2hex(number.get());
  std::string text{hex};
  OPENSSL_free(hex);
  return text;
}

std::string subject_of(X509* certificate) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

bool is_accepted(const CertificateAuthority& authority, const Leaf& leaf, std::string_view host) {
  const StorePtr roots = store_of(authority);
  const std::vector<X509*> chain{leaf.certificate.get(), leaf.issuer};
  return shake(chain, leaf.key, roots.get(), host_of(host)).connected;
}

const std::string long_name = std::string(60, 'a') + "." + std::string(60, 'b') + ".test";

}  // namespace

TEST_CASE("a CA signs certificates and revocations, has no CA below it, and names its sandbox") {
  const CertificateAuthority authority = an_authority();
  X509* certificate = authority.certificate();
  check_extensions(certificate, {{NID_basic_constraints, "CA:TRUE, pathlen:0", 1},
                                 {NID_key_usage, "Certificate Sign, CRL Sign", 1}});
  CHECK(X509_get0_subject_key_id(certificate) != nullptr);
  CHECK(X509_get_ext_by_NID(certificate, NID_name_constraints, -1) < 0);
  CHECK(subject_of(certificate) == "O=Egret,CN=Egret CA (web)");
  CHECK(X509_get_version(certificate) == X509_VERSION_3);
  CHECK(EVP_PKEY_get_bits(X509_get0_pubkey(certificate)) == 256);
  CHECK(authority.describe().find("Egret CA (web)") != std::string::npos);
}

TEST_CASE("a sandbox name of any length and any bytes gives a CA") {
  for (const std::string& name :
       {std::string{}, std::string(200, 'x'), std::string("a\n\0\xff", 4)}) {
    const auto made = CertificateAuthority::generate(name, {});
    REQUIRE(made.has_value());
    CHECK(subject_of(made->certificate()).find('\n') == std::string::npos);
  }
}

TEST_CASE("a CA is valid from an hour ago until its lifetime ends") {
  const auto now = std::chrono::floor<std::chrono::seconds>(CertificateAuthority::Clock::now());
  AuthorityOptions options;
  options.lifetime = 48h;
  const CertificateAuthority authority = an_authority(options, now);
  CHECK(authority.not_after() == now + 48h);
  const std::time_t begin = CertificateAuthority::Clock::to_time_t(now - 1h);
  CHECK(ASN1_TIME_cmp_time_t(X509_get0_notBefore(authority.certificate()), begin) == 0);
  options.lifetime = 0h;
  CHECK_FALSE(CertificateAuthority::generate("web", options, now).has_value());
}

TEST_CASE("a leaf carries exactly its host and the profile of a server certificate") {
  struct Case {
    std::string host;
    std::string names;
    int critical;
    std::string subject;
  };
  const Case cases[] = {
      {"api.a.test", "DNS:api.a.test", 0, "CN=api.a.test"},
      {"xn--bcher-kva.test", "DNS:xn--bcher-kva.test", 0, "CN=xn--bcher-kva.test"},
      {"192.0.2.1", "IP Address:192.0.2.1", 1, ""},
      {"[2001:db8::1]", "IP Address:2001:DB8:0:0:0:0:0:1", 1, ""},
      {long_name, "DNS:" + long_name, 1, ""},
  };
  const CertificateAuthority authority = an_authority();
  for (const Case& c : cases) {
    CAPTURE(c.host);
    const Leaf leaf = leaf_of(authority, c.host);
    X509* certificate = leaf.certificate.get();
    check_extensions(certificate, {{NID_subject_alt_name, c.names, c.critical},
                                   {NID_basic_constraints, "CA:FALSE", 1},
                                   {NID_key_usage, "Digital Signature", 1},
                                   {NID_ext_key_usage, "TLS Web Server Authentication", 0}});
    CHECK(subject_of(certificate) == c.subject);
    CHECK(X509_get_version(certificate) == X509_VERSION_3);
    CHECK(X509_get0_subject_key_id(certificate) != nullptr);
    CHECK(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(certificate),
                                X509_get0_subject_key_id(authority.certificate())) == 0);
    CHECK(leaf.issuer == authority.certificate());
  }
}

TEST_CASE("a client that is as strict as we are with origins accepts a leaf for its host only") {
  const CertificateAuthority authority = an_authority();
  const CertificateAuthority other = an_authority();
  for (const std::string& host :
       {std::string("a.test"), std::string("under_score.a.test"), std::string("192.0.2.1"),
        std::string("[2001:db8::1]"), long_name}) {
    CAPTURE(host);
    const Leaf leaf = leaf_of(authority, host);
    CHECK(is_accepted(authority, leaf, host));
    CHECK_FALSE(is_accepted(authority, leaf, "b.a.test"));
    CHECK_FALSE(is_accepted(other, leaf, host));
  }
}

TEST_CASE("serials are random, 128 bits, and never the same twice") {
  const CertificateAuthority authority = an_authority();
  std::set<std::string> seen;
  std::size_t longest = 0;
  for (int i = 0; i < 50; ++i) {
    const Leaf leaf = leaf_of(authority, "a.test");
    const std::string serial = serial_of(leaf.certificate.get());
    longest = std::max(longest, serial.size());
    CHECK(serial.front() != '-');
    CHECK(seen.insert(serial).second);
  }
  CHECK(longest == 32);
}

TEST_CASE("a leaf lives a week, from an hour ago, and never longer than its CA") {
  const auto now = std::chrono::floor<std::chrono::seconds>(CertificateAuthority::Clock::now());
  AuthorityOptions options;
  options.lifetime = 24h * 10;
  const CertificateAuthority authority = an_authority(options, now);
  const Host host = host_of("a.test");

  const auto leaf = authority.mint(host, now);
  REQUIRE(leaf.has_value());
  CHECK(leaf->not_after == now + 24h * 7);
  CHECK(ASN1_TIME_cmp_time_t(X509_get0_notBefore(leaf->certificate.get()),
                             CertificateAuthority::Clock::to_time_t(now - 1h)) == 0);
  const auto late = authority.mint(host, now + 24h * 9);
  REQUIRE(late.has_value());
  CHECK(late->not_after == authority.not_after());
  const auto too_late = authority.mint(host, now + 24h * 10);
  REQUIRE_FALSE(too_late.has_value());
  CHECK(too_late.error().what.find("egret ca init --rotate") != std::string::npos);
}

TEST_CASE("name constraints hold a CA to the names and addresses it was made for") {
  struct Case {
    std::vector<std::string> permitted;
    std::vector<std::string> accepted;
    std::vector<std::string> refused;
  };
  const Case cases[] = {
      {{"a.test", "*.w.test"},
       {"a.test", "x.a.test", "y.w.test"},
       {"b.test", "192.0.2.1", "[::1]"}},
      {{"192.0.2.0/24"}, {"192.0.2.9"}, {"192.0.3.1", "[2001:db8::1]", "a.test"}},
      {{"2001:db8::/33", "[2001:db9::1]"},
       {"[2001:db8::1]", "[2001:db9::1]"},
       {"[2001:db8:8000::1]", "[2001:db9::2]", "192.0.2.1", "a.test"}},
      {{"a.test", "192.0.2.1"}, {"a.test", "192.0.2.1"}, {"192.0.2.2", "b.test"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.permitted.front());
    AuthorityOptions options;
    options.name_constraints = true;
    options.permitted_names = c.permitted;
    const CertificateAuthority authority = an_authority(options);
    int critical = 0;
    text_of_extension(authority.certificate(), NID_name_constraints, critical);
    CHECK(critical == 1);
    for (const std::string& host : c.accepted) {
      CAPTURE(host);
      CHECK(is_accepted(authority, leaf_of(authority, host), host));
    }
    for (const std::string& host : c.refused) {
      CAPTURE(host);
      CHECK_FALSE(is_accepted(authority, leaf_of(authority, host), host));
    }
  }
}

TEST_CASE("name constraints without a name, or with one that is none, make no CA") {
  AuthorityOptions options;
  options.name_constraints = true;
  CHECK_FALSE(CertificateAuthority::generate("web", options).has_value());
  for (const char* name : {"", "*", "a b", "https://a.test", "*.*.test"}) {
    CAPTURE(name);
    options.permitted_names = {"a.test", name};
    CHECK_FALSE(CertificateAuthority::generate("web", options).has_value());
  }
}
