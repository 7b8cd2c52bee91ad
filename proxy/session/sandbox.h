// One sandbox as the gate serves it: its current snapshot, its certificates, its names, its counts.
// Shared by all workers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "certs/authority.h"
#include "certs/leaf_cache.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/io/name_map.h"
#include "proxy/wire/wiping_memory.h"

namespace egret {

struct SandboxLimits {
  std::size_t connections_max = 1024;
  std::size_t leaves_max = 1024;
  std::size_t refused_leaves_max = 256;
  // For decoding bodies that have to be searched; br takes up to 16 MiB each, zstd 8.
  std::size_t decoding_bytes_max = std::size_t{128} * 1024 * 1024;
  unsigned refused_leaves_a_second = 20;  // past it: TLS alert 112 instead of a 403 in words
};

struct SandboxCounts {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> denials{0};
  std::atomic<std::size_t> connections{0};
};

// Thread rule: any thread.
class Sandbox {
 public:
  Sandbox(SnapshotPtr snapshot, std::shared_ptr<const CertificateAuthority> authority,
          std::string proxy_token, SandboxLimits limits = {});

  const std::string& name() const { return name_; }
  SnapshotPtr snapshot() const;
  // Reload: requests from now on are decided by this one.
  void replace(SnapshotPtr snapshot);

  const CertificateAuthority& authority() const { return *authority_; }
  LeafCache& leaves() { return leaves_; }
  LeafCache& refused_leaves() { return refused_leaves_; }
  // Whether one more refused name may be answered in words this second.
  bool may_explain();

  NameMap& names() { return names_; }
  // True once: the name map is full and nobody has said so yet.
  bool first_name_too_many() { return !names_full_.exchange(true); }
  SandboxCounts& counts() { return counts_; }
  MemoryBudget& decoding() { return decoding_; }
  const SandboxLimits& limits() const { return limits_; }
  // Constant time.
  bool token_is(std::string_view token) const;

 private:
  std::string name_;
  // Not std::atomic<std::shared_ptr>: libstdc++'s load() gives the pointer back with a relaxed
  // unlock, so that the next store() races with it.
  mutable std::mutex snapshot_mutex_;
  SnapshotPtr snapshot_;
  std::shared_ptr<const CertificateAuthority> authority_;
  std::string proxy_token_;
  SandboxLimits limits_;
  LeafCache leaves_;
  LeafCache refused_leaves_;
  NameMap names_;
  SandboxCounts counts_;
  MemoryBudget decoding_;
  std::atomic<bool> names_full_{false};
  std::mutex explain_mutex_;
  std::chrono::steady_clock::time_point explain_second_{};
  unsigned explained_ = 0;
};

}  // namespace egret
