#include "certs/leaf_cache.h"

#include <algorithm>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace egret {
namespace {

using Clock = CertificateAuthority::Clock;
using SharedLeaf = std::shared_ptr<const Leaf>;
using Outcome = Result<SharedLeaf, CertFault>;

// Once less than this part of a leaf's life is left, the next caller gets a new one.
constexpr int refresh_part = 4;

// A leaf points into its authority, and a connection may outlive the cache: it holds both.
struct Held {
  std::shared_ptr<const CertificateAuthority> authority;
  Leaf leaf;
};

struct Entry {
  Host host;
  SharedLeaf leaf;
  Clock::time_point refresh_at;
};

struct Flight {
  std::optional<Outcome> outcome;
};

}  // namespace

struct LeafCache::State {
  State(std::shared_ptr<const CertificateAuthority> authority_in, std::size_t leaves_max_in,
        Now now_in)
      : authority(std::move(authority_in)),
        leaves_max(std::max<std::size_t>(leaves_max_in, 1)),
        now(std::move(now_in)) {}

  SharedLeaf fresh(const Host& host, Clock::time_point time);
  void store(const Host& host, const SharedLeaf& leaf, Clock::time_point time);

  const std::shared_ptr<const CertificateAuthority> authority;
  const std::size_t leaves_max;
  const Now now;

  mutable std::mutex mutex;
  std::condition_variable landed;
  std::list<Entry> entries;  // most recently used first
  std::map<Host, std::list<Entry>::iterator> by_host;
  std::map<Host, std::shared_ptr<Flight>> flights;
  std::uint64_t minted = 0;
};

SharedLeaf LeafCache::State::fresh(const Host& host, Clock::time_point time) {
  const auto found = by_host.find(host);
  if (found == by_host.end() || time >= found->second->refresh_at) return nullptr;
  entries.splice(entries.begin(), entries, found->second);
  return found->second->leaf;
}

void LeafCache::State::store(const Host& host, const SharedLeaf& leaf, Clock::time_point time) {
  if (const auto old = by_host.find(host); old != by_host.end()) {
    entries.erase(old->second);
    by_host.erase(old);
  }
  while (entries.size() >= leaves_max) {
    by_host.erase(entries.back().host);
    entries.pop_back();
  }
  entries.push_front(Entry{host, leaf, leaf->not_after - (leaf->not_after - time) / refresh_part});
  by_host.emplace(host, entries.begin());
  ++minted;
}

LeafCache::LeafCache(std::shared_ptr<const CertificateAuthority> authority, std::size_t leaves_max,
                     Now now)
    : state_(std::make_unique<State>(std::move(authority), leaves_max, std::move(now))) {}

LeafCache::~LeafCache() = default;

Result<SharedLeaf, CertFault> LeafCache::leaf_for(const Host& host) {
  State& state = *state_;
  const Clock::time_point time = state.now();
  std::unique_lock lock{state.mutex};
  if (SharedLeaf leaf = state.fresh(host, time)) return leaf;
  if (const auto flying = state.flights.find(host); flying != state.flights.end()) {
    const std::shared_ptr<Flight> flight = flying->second;
    state.landed.wait(lock, [&] { return flight->outcome.has_value(); });
    return *flight->outcome;
  }
  const auto flight = std::make_shared<Flight>();
  state.flights.emplace(host, flight);
  lock.unlock();
  auto minted = state.authority->mint(host, time);
  lock.lock();
  if (minted) {
    auto held = std::make_shared<Held>(Held{state.authority, std::move(*minted)});
    const SharedLeaf leaf{held, &held->leaf};
    state.store(host, leaf, time);
    flight->outcome.emplace(leaf);
  } else {
    flight->outcome.emplace(minted.error());
  }
  state.flights.erase(host);
  state.landed.notify_all();
  return *flight->outcome;
}

std::uint64_t LeafCache::minted() const {
  const std::lock_guard lock{state_->mutex};
  return state_->minted;
}

std::size_t LeafCache::size() const {
  const std::lock_guard lock{state_->mutex};
  return state_->entries.size();
}

}  // namespace egret
