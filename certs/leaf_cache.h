// Minted leaves of one sandbox, at most `leaves_max`, least recently used out first, refreshed when
// less than a quarter of their life is left. One mint per name however many ask at once (ATTACKS
// C09). Refused names have a cache of their own, so that they cannot push allowed ones out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "certs/authority.h"

namespace egret {

// Thread rule: any thread. A caller that asks for a name being minted waits for that one mint.
class LeafCache {
 public:
  using Now = std::function<CertificateAuthority::Clock::time_point()>;

  LeafCache(std::shared_ptr<const CertificateAuthority> authority, std::size_t leaves_max,
            Now now = CertificateAuthority::Clock::now);
  ~LeafCache();

  // What it returns keeps the authority alive as well. A failed mint is not kept.
  Result<std::shared_ptr<const Leaf>, CertFault> leaf_for(const Host& host);
  std::uint64_t minted() const;
  std::size_t size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace egret
