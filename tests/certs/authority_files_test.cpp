#include <functional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "certs/authority.h"
#include "tests/certs/temporary_directory.h"
#include "tests/certs/zoo.h"

using namespace egret;
using namespace egret::test;

namespace {

std::string key_pem_of(EVP_PKEY* key) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

void write_pair(const std::string& directory, const Made& made) {
  write_file(directory + "/ca.key", key_pem_of(made.key.get()));
  write_file(directory + "/ca.pem", pem_of(made.certificate.get()));
}

std::string made_in(const std::string& directory) {
  auto made = CertificateAuthority::load_or_create(directory, "web", {});
  REQUIRE(made.has_value());
  return made->certificate_pem();
}

}  // namespace

TEST_CASE("a kept CA is made once, for its owner's eyes only, and loads again") {
  const TemporaryDirectory root;
  const std::string directory = root / "state/sandboxes/web";
  const std::string first = made_in(directory);
  CHECK(mode_of(directory) == 0700);
  CHECK(mode_of(root / "state") == 0700);
  CHECK(mode_of(directory + "/ca.key") == 0600);
  CHECK(mode_of(directory + "/ca.pem") == 0600);
  CHECK(made_in(directory) == first);
  const auto loaded = CertificateAuthority::load(directory);
  REQUIRE(loaded.has_value());
  CHECK(loaded->certificate_pem() == first);
  CHECK(read_file(directory + "/ca.pem") == first);

  const auto leaf = loaded->mint(host_of("a.test"));
  REQUIRE(leaf.has_value());
  const StorePtr store{X509_STORE_new()};
  X509_STORE_add_cert(store.get(), loaded->certificate());
  CHECK(shake({leaf->certificate.get()}, leaf->key, store.get(), host_of("a.test")).connected);
}

TEST_CASE("rotation puts a new key and certificate in place of the old ones") {
  const TemporaryDirectory root;
  const std::string directory = root / "web";
  const std::string first = made_in(directory);
  const std::string first_key = read_file(directory + "/ca.key");
  const auto rotated = CertificateAuthority::rotate(directory, "web", {});
  REQUIRE(rotated.has_value());
  CHECK(rotated->certificate_pem() != first);
  CHECK(read_file(directory + "/ca.key") != first_key);
  CHECK(mode_of(directory + "/ca.key") == 0600);
  CHECK(made_in(directory) == rotated->certificate_pem());
}

TEST_CASE("a rotation that was cut between its two renames is finished by the next start") {
  const TemporaryDirectory root;
  made_in(root / "web");
  const std::string next = made_in(root / "next");
  std::filesystem::rename(root / "next/ca.key", root / "web/ca.key");
  std::filesystem::rename(root / "next/ca.pem", root / "web/ca.pem.next");
  CHECK(made_in(root / "web") == next);
  CHECK(read_file(root / "web/ca.pem") == next);
}

TEST_CASE("a CA that others could have read or replaced, or that is not whole, is refused") {
  struct Case {
    const char* what;
    std::function<void(const std::string&)> damage;
    const char* says;
  };
  const auto chmod_to = [](const char* name, mode_t mode) {
    return [name, mode](const std::string& d) { ::chmod((d + name).c_str(), mode); };
  };
  const auto link_to = [](const char* name) {
    return [name](const std::string& d) {
      ::rename((d + name).c_str(), (d + name + ".real").c_str());
      REQUIRE(::symlink((d + name + ".real").c_str(), (d + name).c_str()) == 0);
    };
  };
  const auto pair_of = [](const Recipe& recipe) {
    return [recipe](const std::string& d) { write_pair(d, make(recipe)); };
  };
  Recipe expired = ca_recipe("expired");
  expired.from_days = -9;
  expired.until_days = -1;
  const Case cases[] = {
      {"key readable by the group", chmod_to("/ca.key", 0640), "chmod 600"},
      {"key readable by others", chmod_to("/ca.key", 0604), "chmod 600"},
      {"key writable by others", chmod_to("/ca.key", 0602), "chmod 600"},
      {"certificate writable by others", chmod_to("/ca.pem", 0602), "chmod 600"},
      {"directory open to the group", chmod_to("", 0710), "chmod 700"},
      {"directory open to others", chmod_to("", 0701), "chmod 700"},
      {"key a link", link_to("/ca.key"), "symbolic link"},
      {"certificate a link", link_to("/ca.pem"), "symbolic link"},
      {"directory a link", link_to(""), "link"},
      {"key a FIFO",
       [](const std::string& d) {
         ::unlink((d + "/ca.key").c_str());
         ::mkfifo((d + "/ca.key").c_str(), 0600);
       },
       "not a regular file"},
      {"key a directory",
       [](const std::string& d) {
         ::unlink((d + "/ca.key").c_str());
         ::mkdir((d + "/ca.key").c_str(), 0700);
       },
       "not a regular file"},
      {"key missing", [](const std::string& d) { ::unlink((d + "/ca.key").c_str()); }, "--rotate"},
      {"certificate missing", [](const std::string& d) { ::unlink((d + "/ca.pem").c_str()); },
       "--rotate"},
      {"key cut", [](const std::string& d) { write_file(d + "/ca.key", "-----BEGIN"); },
       "--rotate"},
      {"certificate cut", [](const std::string& d) { write_file(d + "/ca.pem", ""); }, "--rotate"},
      {"key of another certificate",
       [](const std::string& d) {
         write_file(d + "/ca.key", key_pem_of(make(ca_recipe("other")).key.get()));
       },
       "--rotate"},
      {"far too large",
       [](const std::string& d) { write_file(d + "/ca.key", std::string(1 << 17, 'x')); },
       "larger than"},
      {"expired", pair_of(expired), "expired; run `egret ca init --rotate`"},
      {"a leaf", pair_of(leaf_recipe("DNS:a.test")), "not a CA"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const TemporaryDirectory root;
    const std::string directory = root / "web";
    made_in(directory);
    c.damage(directory);
    const auto loaded = CertificateAuthority::load(directory);
    const auto opened = CertificateAuthority::load_or_create(directory, "web", {});
    REQUIRE_FALSE(loaded.has_value());
    REQUIRE_FALSE(opened.has_value());
    CHECK(loaded.error().what.find(directory) != std::string::npos);
    CHECK(loaded.error().what.find(c.says) != std::string::npos);
    CHECK(loaded.error().what == opened.error().what);
  }
}

TEST_CASE("a CA of another user is refused") {
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: only root can make a file of another user");
    return;
  }
  constexpr uid_t somebody = 65534;
  const TemporaryDirectory root;
  for (const char* name : {"/ca.key", "/ca.pem", ""}) {
    const std::string directory = root / "web" + std::string(name).substr(0, 0);
    made_in(directory);
    REQUIRE(::chown((directory + name).c_str(), somebody, somebody) == 0);
    const auto loaded = CertificateAuthority::load(directory);
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().what.find("belongs to user 65534") != std::string::npos);
    REQUIRE(::chown((directory + name).c_str(), 0, 0) == 0);
  }
}

TEST_CASE("where there is no CA, load says how to make one and makes nothing") {
  const TemporaryDirectory root;
  std::filesystem::create_directory(root / "web");
  std::filesystem::permissions(root / "web", std::filesystem::perms::owner_all);
  const auto loaded = CertificateAuthority::load(root / "web");
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().what.find("egret ca init") != std::string::npos);
  CHECK(std::filesystem::is_empty(root / "web"));
  CHECK_FALSE(CertificateAuthority::load(root / "nowhere").has_value());
  CHECK_FALSE(std::filesystem::exists(root / "nowhere"));
}

TEST_CASE("many starts at once agree on one CA") {
  const TemporaryDirectory root;
  std::vector<std::string> seen(8);
  std::vector<std::thread> starts;
  for (std::string& pem : seen) {
    starts.emplace_back([&] {
      auto made = CertificateAuthority::load_or_create(root / "state/web", "web", {});
      if (made) pem = made->certificate_pem();
    });
  }
  for (std::thread& start : starts)
    start.join();
  CHECK_FALSE(seen.front().empty());
  for (const std::string& pem : seen)
    CHECK(pem == seen.front());
}
