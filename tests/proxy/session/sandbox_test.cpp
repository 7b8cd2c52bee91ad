// What all workers share of one sandbox.
#include "proxy/session/sandbox.h"

#include <atomic>
#include <thread>
#include <utility>

#include <doctest/doctest.h>

using namespace egret;

namespace {

SnapshotPtr of_generation(std::uint64_t generation) {
  return make_snapshot("s", generation, Policy(), GrantTable(), AddressRules());
}

}  // namespace

TEST_CASE("a policy is replaced while others decide by it") {
  auto authority = CertificateAuthority::generate("s", {});
  REQUIRE(authority.has_value());
  Sandbox sandbox(of_generation(0),
                  std::make_shared<const CertificateAuthority>(std::move(*authority)), "");
  constexpr std::uint64_t last = 2000;
  std::atomic<bool> went_back{false};
  std::thread reader([&] {
    for (std::uint64_t seen = 0; seen < last;) {
      const std::uint64_t now = sandbox.snapshot()->generation;
      if (now < seen) went_back = true;
      seen = now;
    }
  });
  for (std::uint64_t i = 1; i <= last; ++i)
    sandbox.replace(of_generation(i));
  reader.join();
  CHECK_FALSE(went_back);
  CHECK(sandbox.snapshot()->generation == last);
}
