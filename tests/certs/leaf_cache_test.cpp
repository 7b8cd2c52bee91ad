#include "certs/leaf_cache.h"

#include <atomic>
#include <barrier>
#include <thread>

#include <doctest/doctest.h>

#include "tests/certs/zoo.h"

using namespace egret;
using namespace egret::test;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const CertificateAuthority> an_authority(std::chrono::hours lifetime = 24h * 30) {
  AuthorityOptions options;
  options.lifetime = lifetime;
  auto made = CertificateAuthority::generate("web", options);
  REQUIRE(made.has_value());
  return std::make_shared<CertificateAuthority>(std::move(*made));
}

Host numbered(int number) {
  return host_of("host-" + std::to_string(number) + ".test");
}

}  // namespace

TEST_CASE("eight threads that ask for 200 new names get 200 leaves, minted once each") {
  constexpr int names = 200;
  constexpr int thread_count = 8;
  LeafCache cache{an_authority(), 1024};
  std::vector<std::vector<std::shared_ptr<const Leaf>>> seen(thread_count);
  std::barrier together{thread_count};
  std::vector<std::thread> threads;
  for (auto& mine : seen) {
    threads.emplace_back([&] {
      for (int i = 0; i < names; ++i) {
        together.arrive_and_wait();
        auto leaf = cache.leaf_for(numbered(i));
        if (leaf) mine.push_back(*leaf);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(cache.minted() == names);
  CHECK(cache.size() == names);
  for (const auto& mine : seen)
    CHECK(mine == seen.front());
  REQUIRE(seen.front().size() == names);
  for (int i = 0; i < names; ++i) {
    CHECK(certificate_is_for(seen.front()[static_cast<std::size_t>(i)]->certificate.get(),
                             numbered(i)));
  }
}

TEST_CASE("the cache is bounded and forgets what was asked for longest ago") {
  LeafCache cache{an_authority(), 2};
  const auto first = cache.leaf_for(numbered(1));
  REQUIRE(first.has_value());
  REQUIRE(cache.leaf_for(numbered(2)).has_value());
  CHECK(*cache.leaf_for(numbered(1)) == *first);
  REQUIRE(cache.leaf_for(numbered(3)).has_value());  // drops 2
  CHECK(cache.size() == 2);
  CHECK(cache.minted() == 3);
  CHECK(*cache.leaf_for(numbered(1)) == *first);
  CHECK(cache.minted() == 3);
  REQUIRE(cache.leaf_for(numbered(2)).has_value());
  CHECK(cache.minted() == 4);
}

TEST_CASE("a leaf is minted anew once less than a quarter of its life is left") {
  const auto start = CertificateAuthority::Clock::now();
  std::atomic<CertificateAuthority::Clock::duration> passed{
      CertificateAuthority::Clock::duration{0}};
  LeafCache cache{an_authority(), 8, [&] { return start + passed.load(); }};
  const Host host = numbered(1);
  const auto first = cache.leaf_for(host);
  passed = 24h * 7 * 3 / 4 - 1min;
  CHECK(*cache.leaf_for(host) == *first);
  passed = 24h * 7 * 3 / 4 + 1min;
  const auto second = cache.leaf_for(host);
  REQUIRE(second.has_value());
  CHECK(*second != *first);
  CHECK((*second)->not_after > (*first)->not_after);
  CHECK(*cache.leaf_for(host) == *second);
  CHECK(cache.size() == 1);
}

TEST_CASE("a mint that failed is told to the caller and not kept") {
  const auto start = CertificateAuthority::Clock::now();
  std::atomic<CertificateAuthority::Clock::duration> passed{25h};
  LeafCache cache{an_authority(24h), 8, [&] { return start + passed.load(); }};
  CHECK_FALSE(cache.leaf_for(numbered(1)).has_value());
  CHECK_FALSE(cache.leaf_for(numbered(1)).has_value());
  CHECK(cache.size() == 0);
  passed = 1h;
  CHECK(cache.leaf_for(numbered(1)).has_value());
}

TEST_CASE("a leaf in use outlives the cache and the authority it came from") {
  std::shared_ptr<const Leaf> leaf;
  {
    LeafCache cache{an_authority(), 8};
    leaf = *cache.leaf_for(host_of("a.test"));
  }
  const StorePtr store{X509_STORE_new()};
  X509_STORE_add_cert(store.get(), leaf->issuer);
  CHECK(shake({leaf->certificate.get()}, leaf->key, store.get(), host_of("a.test")).connected);
}

TEST_CASE("two authorities never share a leaf") {
  LeafCache one{an_authority(), 8};
  LeafCache two{an_authority(), 8};
  const Host host = host_of("a.test");
  CHECK((*one.leaf_for(host))->issuer != (*two.leaf_for(host))->issuer);
}
