// What a snapshot knows of secrets goes with it.
#include "proxy/exchange/snapshot.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

using namespace egret;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_can_be_searched = false;  // freed blocks are somewhere else there
#else
constexpr bool memory_can_be_searched = true;
#endif

// The secret never stands in the program as it is. Its first half is spelled differently by every
// encoding; its second half is the same in most of them, and it is what is searched for.
constexpr char veil = 0x55;
constexpr std::size_t half = 24;

char secret_byte(std::size_t i) {
  constexpr std::string_view odd = "+/\"\\ =&%";
  if (i < half) return odd[i % odd.size()];
  return static_cast<char>('A' + (i * 7 + i / 5) % 26);
}

std::string make_secret() {
  std::string secret;
  secret.reserve(2 * half);
  for (std::size_t i = 0; i < 2 * half; ++i)
    secret += secret_byte(i);
  return secret;
}

using Fragment = std::array<char, half - 8>;  // veiled: the search must not find itself

Fragment fragment() {
  Fragment veiled{};
  for (std::size_t i = 0; i < veiled.size(); ++i)
    veiled[i] = static_cast<char>(secret_byte(half + 4 + i) ^ veil);
  return veiled;
}

std::size_t copies_in(std::uintptr_t begin, std::uintptr_t end, const Fragment& veiled) {
  std::size_t found = 0;
  for (std::uintptr_t at = begin; at + veiled.size() <= end; ++at) {
    const auto* bytes = reinterpret_cast<const volatile char*>(at);
    std::size_t same = 0;
    while (same < veiled.size() && static_cast<char>(bytes[same] ^ veil) == veiled[same])
      ++same;
    found += same == veiled.size() ? 1 : 0;
  }
  return found;
}

// On the heap, freed blocks among it.
std::size_t copies_in_heap() {
  const Fragment veiled = fragment();
  std::ifstream maps("/proc/self/maps");
  std::size_t found = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (!line.ends_with("[heap]")) continue;
    if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2)
      found += copies_in(begin, end, veiled);
  }
  return found;
}

GrantTable grants() {
  std::vector<Grant> all;
  for (const char* name : {"ONE", "TWO", "THREE"}) {
    auto secret = Secret::from(make_secret());
    REQUIRE(secret.has_value());
    const RandomSource counted = [](std::span<unsigned char> out) {
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<unsigned char>(i);
    };
    all.push_back(Grant{.name = name,
                        .placeholder = Placeholder::mint({}, counted),
                        .secret = std::make_shared<const Secret>(std::move(*secret)),
                        .hosts = {*HostPattern::parse("api.test")},
                        .places = {Place{}, Place{PlaceKind::body, {}}}});
  }
  return GrantTable(std::move(all));
}

}  // namespace

TEST_CASE("a snapshot that is gone leaves no copy of a secret on the heap") {
  if (!memory_can_be_searched) return;
  {
    const SnapshotPtr snapshot = make_snapshot("web", 1, Policy(), grants(), {});
    CHECK_MESSAGE(copies_in_heap() > 3, "the search finds what is there");
  }
  CHECK(copies_in_heap() == 0);
}
