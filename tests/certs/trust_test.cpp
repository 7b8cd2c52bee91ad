#include "certs/trust.h"

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/err.h>

#include "tests/certs/temporary_directory.h"
#include "tests/certs/zoo.h"

using namespace egret;
using namespace egret::test;

namespace {

// One root for all animals: keys cost time.
struct Zoo {
  Made root = make(ca_recipe("zoo root"));
  Made other_root = make(ca_recipe("other root"));
  Made intermediate = make(ca_recipe("zoo intermediate"), &root);

  StorePtr trust(const Made& anchor) const {
    const TemporaryDirectory directory;
    write_file(directory / "ca.pem", pem_of(anchor.certificate.get()));
    auto store = load_origin_trust({directory / "ca.pem"});
    REQUIRE(store.has_value());
    return std::move(*store);
  }
};

const Zoo& zoo() {
  static const Zoo animals;
  return animals;
}

Recipe with(Recipe recipe, int nid, std::string value) {
  recipe.extensions.emplace_back(nid, std::move(value));
  return recipe;
}

Recipe changed(Recipe recipe, const std::function<void(Recipe&)>& change) {
  change(recipe);
  return recipe;
}

Recipe raw_name(std::string bytes) {
  return changed(leaf_recipe(""), [&](Recipe& r) { r.raw_dns_name = std::move(bytes); });
}

Recipe cn(Recipe recipe, std::string common_name) {
  recipe.common_name = std::move(common_name);
  return recipe;
}

}  // namespace

TEST_CASE("an origin's leaf is accepted for the name or address in its SAN and for nothing else") {
  struct Case {
    const char* what;
    Recipe leaf;
    const char* host;
    long error;
  };
  const long wrong_name = X509_V_ERR_HOSTNAME_MISMATCH;
  const long wrong_address = X509_V_ERR_IP_ADDRESS_MISMATCH;
  using std::string_literals::operator""s;
  const Case cases[] = {
      {"its name", leaf_recipe("DNS:a.test"), "a.test", X509_V_OK},
      {"a SAN in capitals", leaf_recipe("DNS:A.Test"), "a.test", X509_V_OK},
      {"an A-label", leaf_recipe("DNS:xn--bcher-kva.test"), "xn--bcher-kva.test", X509_V_OK},
      {"another name", leaf_recipe("DNS:b.test"), "a.test", wrong_name},
      {"no SAN, the CN says it", cn(leaf_recipe(""), "a.test"), "a.test", wrong_name},
      {"only an IP SAN, the CN says it", cn(leaf_recipe("IP:192.0.2.1"), "a.test"), "a.test",
       wrong_name},
      {"a wildcard", leaf_recipe("DNS:*.w.test"), "a.w.test", X509_V_OK},
      {"a wildcard, two labels", leaf_recipe("DNS:*.w.test"), "a.b.w.test", wrong_name},
      {"a wildcard, its apex", leaf_recipe("DNS:*.w.test"), "w.test", wrong_name},
      {"a partial wildcard", leaf_recipe("DNS:f*.p.test"), "fz.p.test", wrong_name},
      {"a wildcard inside", leaf_recipe("DNS:a.*.test"), "a.b.test", wrong_name},
      {"a wildcard of a top-level name", leaf_recipe("DNS:*.test"), "a.test", wrong_name},
      {"a bare wildcard", leaf_recipe("DNS:*"), "localhost", wrong_name},
      {"a leading dot", raw_name(".test"), "a.test", wrong_name},
      {"a trailing dot", raw_name("a.test."), "a.test", wrong_name},
      {"NUL in the name", raw_name("a.test\0.evil.test"s), "a.test", wrong_name},
      {"NUL before the name", raw_name("evil\0.a.test"s), "a.test", wrong_name},
      {"an empty name", raw_name(" "), "a.test", wrong_name},
      {"an IPv4 SAN", leaf_recipe("IP:192.0.2.1"), "192.0.2.1", X509_V_OK},
      {"an IPv6 SAN", leaf_recipe("IP:2001:db8::1"), "[2001:db8::1]", X509_V_OK},
      {"another address", leaf_recipe("IP:192.0.2.2"), "192.0.2.1", wrong_address},
      {"an address spelt as a name", raw_name("192.0.2.1"), "192.0.2.1", wrong_address},
      {"an address in the CN", cn(leaf_recipe(""), "192.0.2.1"), "192.0.2.1", wrong_address},
  };
  const StorePtr roots = zoo().trust(zoo().root);
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const Made leaf = make(c.leaf, &zoo().root);
    const Handshake seen =
        shake({leaf.certificate.get()}, leaf.key.get(), roots.get(), host_of(c.host));
    CHECK(seen.connected == (c.error == X509_V_OK));
    CHECK(seen.verify_error == c.error);
    CHECK(seen.for_host == (c.error == X509_V_OK));
  }
}

TEST_CASE("an origin's leaf that is not in order is refused for that reason") {
  struct Case {
    const char* what;
    Recipe leaf;
    long error;
  };
  const Recipe good = leaf_recipe("DNS:a.test");
  const Case cases[] = {
      {"expired", changed(good, [](Recipe& r) { r.from_days = -9, r.until_days = -1; }),
       X509_V_ERR_CERT_HAS_EXPIRED},
      {"not yet valid", changed(good, [](Recipe& r) { r.from_days = 2; }),
       X509_V_ERR_CERT_NOT_YET_VALID},
      {"for servers", with(good, NID_ext_key_usage, "serverAuth"), X509_V_OK},
      {"for clients only", with(good, NID_ext_key_usage, "clientAuth"), X509_V_ERR_INVALID_PURPOSE},
      {"an unknown critical extension", with(good, NID_netscape_comment, "critical,x"),
       X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION},
      {"RSA 2048", changed(good, [](Recipe& r) { r.rsa_bits = 2048; }), X509_V_OK},
      {"RSA 1024", changed(good, [](Recipe& r) { r.rsa_bits = 1024; }),
       X509_V_ERR_EE_KEY_TOO_SMALL},
      {"signed with SHA-1", changed(good, [](Recipe& r) { r.digest = EVP_sha1(); }),
       X509_V_ERR_CA_MD_TOO_WEAK},
      {"no authority key identifier", changed(good, [](Recipe& r) { r.authority_key_id = false; }),
       X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER},
  };
  const StorePtr roots = zoo().trust(zoo().root);
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const Made leaf = make(c.leaf, &zoo().root);
    const Handshake seen =
        shake({leaf.certificate.get()}, leaf.key.get(), roots.get(), host_of("a.test"));
    CHECK(seen.connected == (c.error == X509_V_OK));
    CHECK(seen.verify_error == c.error);
  }
}

TEST_CASE("an origin's intermediate that is not in order is refused for that reason") {
  struct Case {
    const char* what;
    Recipe intermediate;
    long error;
  };
  const Recipe good = ca_recipe("intermediate");
  const Recipe without_usage = changed(good, [](Recipe& r) { r.extensions.pop_back(); });
  const Case cases[] = {
      {"in order", good, X509_V_OK},
      {"CA:FALSE", ca_recipe("intermediate", "critical,CA:FALSE"), X509_V_ERR_INVALID_CA},
      {"a leaf", leaf_recipe("DNS:evil.test"), X509_V_ERR_INVALID_CA},
      {"expired", changed(good, [](Recipe& r) { r.from_days = -9, r.until_days = -1; }),
       X509_V_ERR_CERT_HAS_EXPIRED},
      {"no key usage", without_usage, X509_V_ERR_CA_CERT_MISSING_KEY_USAGE},
      {"no subject key identifier", changed(good, [](Recipe& r) { r.subject_key_id = false; }),
       X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER},
      {"CA not critical", ca_recipe("intermediate", "CA:TRUE"), X509_V_ERR_CA_BCONS_NOT_CRITICAL},
      {"RSA 512", changed(good, [](Recipe& r) { r.rsa_bits = 512; }), X509_V_ERR_CA_KEY_TOO_SMALL},
      {"permits the name", with(good, NID_name_constraints, "critical,permitted;DNS:test"),
       X509_V_OK},
      {"permits other names", with(good, NID_name_constraints, "critical,permitted;DNS:b.test"),
       X509_V_ERR_PERMITTED_VIOLATION},
      {"excludes the name", with(good, NID_name_constraints, "critical,excluded;DNS:a.test"),
       X509_V_ERR_EXCLUDED_VIOLATION},
  };
  const StorePtr roots = zoo().trust(zoo().root);
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const Made between = make(c.intermediate, &zoo().root);
    Recipe recipe = leaf_recipe("DNS:a.test");
    recipe.authority_key_id = c.intermediate.subject_key_id;
    const Made leaf = make(recipe, &between);
    const Handshake seen = shake({leaf.certificate.get(), between.certificate.get()},
                                 leaf.key.get(), roots.get(), host_of("a.test"));
    CHECK(seen.connected == (c.error == X509_V_OK));
    if (c.intermediate.subject_key_id) CHECK(seen.verify_error == c.error);
  }
}

TEST_CASE("a chain ends in a certificate that the operator named") {
  const Made leaf = make(leaf_recipe("DNS:a.test"), &zoo().intermediate);
  const Made alone = make(leaf_recipe("DNS:a.test"));
  const Host host = host_of("a.test");
  X509* const certificate = leaf.certificate.get();
  X509* const between = zoo().intermediate.certificate.get();
  const StorePtr roots = zoo().trust(zoo().root);

  SUBCASE("root named, whole chain shown") {
    CHECK(shake({certificate, between}, leaf.key.get(), roots.get(), host).connected);
  }
  SUBCASE("intermediate named") {
    const StorePtr anchored = zoo().trust(zoo().intermediate);
    CHECK(shake({certificate}, leaf.key.get(), anchored.get(), host).connected);
  }
  SUBCASE("intermediate not shown") {
    const Handshake seen = shake({certificate}, leaf.key.get(), roots.get(), host);
    CHECK(seen.verify_error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    CHECK_FALSE(seen.connected);
  }
  SUBCASE("unknown root, shown by the origin") {
    const StorePtr other = zoo().trust(zoo().other_root);
    const Handshake seen = shake({certificate, between, zoo().root.certificate.get()},
                                 leaf.key.get(), other.get(), host);
    CHECK(seen.verify_error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    CHECK_FALSE(seen.connected);
  }
  SUBCASE("self-signed leaf, not named") {
    const Handshake seen = shake({alone.certificate.get()}, alone.key.get(), roots.get(), host);
    CHECK(seen.verify_error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    CHECK_FALSE(seen.connected);
  }
  SUBCASE("self-signed leaf, named") {
    const StorePtr pinned = zoo().trust(alone);
    CHECK(shake({alone.certificate.get()}, alone.key.get(), pinned.get(), host).connected);
    CHECK_FALSE(shake({alone.certificate.get()}, alone.key.get(), pinned.get(), host_of("b.test"))
                    .connected);
  }
}

TEST_CASE("a CA without key usage and key identifier is enough where the operator named it") {
  Recipe bare = ca_recipe("bare");
  bare.extensions.pop_back();
  bare.subject_key_id = false;
  const Made root = make(bare);
  Recipe recipe = leaf_recipe("DNS:a.test");
  recipe.authority_key_id = false;
  const StorePtr roots = zoo().trust(root);
  const Made nameless = make(recipe, &root);
  // The leaf itself still has to say who signed it.
  CHECK(shake({nameless.certificate.get()}, nameless.key.get(), roots.get(), host_of("a.test"))
            .verify_error == X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER);
  recipe.extensions.emplace_back(NID_authority_key_identifier, "DER:30:03:80:01:41");
  const Made leaf = make(recipe, &root);
  const Handshake seen =
      shake({leaf.certificate.get()}, leaf.key.get(), roots.get(), host_of("a.test"));
  CHECK(seen.connected);
  CHECK(seen.verify_error == X509_V_OK);
}

TEST_CASE("a chain has at most eight intermediates") {
  std::vector<Made> line;
  line.reserve(9);
  const StorePtr roots = zoo().trust(zoo().root);
  for (std::size_t count = 1; count <= 9; ++count) {
    line.push_back(make(ca_recipe("line " + std::to_string(count)),
                        line.empty() ? &zoo().root : &line.back()));
    if (count < 8) continue;
    const Made leaf = make(leaf_recipe("DNS:a.test"), &line.back());
    std::vector<X509*> chain{leaf.certificate.get()};
    for (auto made = line.rbegin(); made != line.rend(); ++made) {
      chain.push_back(made->certificate.get());
    }
    const Handshake seen = shake(chain, leaf.key.get(), roots.get(), host_of("a.test"));
    CHECK(seen.connected == (count == 8));
  }
}

TEST_CASE("a CA with pathlen 0 cannot have another below it") {
  const Made root = make(ca_recipe("short root", "critical,CA:TRUE,pathlen:0"));
  const Made between = make(ca_recipe("between"), &root);
  const Made leaf = make(leaf_recipe("DNS:a.test"), &between);
  const StorePtr roots = zoo().trust(root);
  const Handshake seen = shake({leaf.certificate.get(), between.certificate.get()}, leaf.key.get(),
                               roots.get(), host_of("a.test"));
  CHECK_FALSE(seen.connected);
  CHECK(seen.verify_error == X509_V_ERR_PATH_LENGTH_EXCEEDED);
}

TEST_CASE("a requirement replaces the one before it") {
  const Owned<X509_VERIFY_PARAM, X509_VERIFY_PARAM_free> param{X509_VERIFY_PARAM_new()};
  CHECK(require_host(param.get(), host_of("a.test")));
  CHECK(std::string(X509_VERIFY_PARAM_get0_host(param.get(), 0)) == "a.test");
  CHECK(require_host(param.get(), host_of("192.0.2.1")));
  CHECK(X509_VERIFY_PARAM_get0_host(param.get(), 0) == nullptr);
  CHECK(require_host(param.get(), host_of("b.test")));
  CHECK(X509_VERIFY_PARAM_get0_host(param.get(), 1) == nullptr);
  CHECK(X509_VERIFY_PARAM_get1_ip_asc(param.get()) == nullptr);
}

TEST_CASE("a ca_file that brings no certificate is a fault that names it") {
  const TemporaryDirectory directory;
  const std::string good = pem_of(zoo().root.certificate.get());
  write_file(directory / "empty.pem", "");
  write_file(directory / "text.pem", "no certificate\n");
  write_file(directory / "damaged.pem",
             good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  write_file(directory / "cut.pem", good.substr(0, good.size() / 2));
  for (const char* name : {"missing.pem", "empty.pem", "text.pem", "damaged.pem", "cut.pem", "."}) {
    CAPTURE(name);
    const auto store = load_origin_trust({directory / name});
    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().what.find(name) != std::string::npos);
  }
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("the bundle keeps the system's roots and adds ours, each on lines of its own") {
  CHECK(bundle_pem("root", {"corp\n", "sandbox"}) == "root\ncorp\nsandbox\n");
  CHECK(bundle_pem("", {"sandbox"}) == "sandbox\n");
  CHECK(bundle_pem("", {}).empty());
}

TEST_CASE("each of the system's roots is acceptable as the end of a chain under the strict rules") {
  const std::string pem = read_system_roots();
  const auto store = load_origin_trust({});
  REQUIRE(store.has_value());
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  int roots = 0;
  while (const X509Ptr root{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    const Owned<X509_STORE_CTX, X509_STORE_CTX_free> context{X509_STORE_CTX_new()};
    X509_STORE_CTX_init(context.get(), store->get(), root.get(), nullptr);
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_flags(
        param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
    CHECK(X509_verify_cert(context.get()) == 1);
    ++roots;
  }
  ERR_clear_error();
  CHECK(roots > 0);
}

// A verification by itself: a handshake before it would put the threads in an order.
TEST_CASE("threads that share one trust store all verify by it") {
  constexpr int threads = 4;
  std::vector<Made> leaves;
  for (int i = 0; i < threads; ++i)
    leaves.push_back(make(leaf_recipe("DNS:a.test"), &zoo().root));
  for (int round = 0; round < 50; ++round) {
    const StorePtr roots = zoo().trust(zoo().root);
    std::atomic<int> verified{0};
    std::atomic<int> waiting{threads};
    std::vector<std::thread> verifiers;
    for (const Made& leaf : leaves) {
      verifiers.emplace_back([&] {
        const Owned<X509_STORE_CTX, X509_STORE_CTX_free> context{X509_STORE_CTX_new()};
        X509_STORE_CTX_init(context.get(), roots.get(), leaf.certificate.get(), nullptr);
        for (--waiting; waiting > 0;)
          std::this_thread::yield();
        if (X509_verify_cert(context.get()) == 1) ++verified;
      });
    }
    for (std::thread& verifier : verifiers)
      verifier.join();
    REQUIRE(verified == threads);
  }
}
