#include "proxy/session/sandbox.h"

#include <utility>

#include <openssl/crypto.h>

namespace egret {

Sandbox::Sandbox(SnapshotPtr snapshot, std::shared_ptr<const CertificateAuthority> authority,
                 std::string proxy_token, SandboxLimits limits)
    : name_(snapshot->sandbox),
      snapshot_(std::move(snapshot)),
      authority_(std::move(authority)),
      proxy_token_(std::move(proxy_token)),
      limits_(limits),
      leaves_(authority_, limits.leaves_max),
      refused_leaves_(authority_, limits.refused_leaves_max),
      decoding_(limits.decoding_bytes_max) {}

SnapshotPtr Sandbox::snapshot() const {
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

void Sandbox::replace(SnapshotPtr snapshot) {
  // The old one is freed after the lock: it may be large.
  const std::lock_guard lock(snapshot_mutex_);
  snapshot_.swap(snapshot);
}

bool Sandbox::may_explain() {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(explain_mutex_);
  if (now - explain_second_ >= std::chrono::seconds(1)) {
    explain_second_ = now;
    explained_ = 0;
  }
  return explained_++ < limits_.refused_leaves_a_second;
}

bool Sandbox::token_is(std::string_view token) const {
  return !proxy_token_.empty() && token.size() == proxy_token_.size() &&
         CRYPTO_memcmp(token.data(), proxy_token_.data(), token.size()) == 0;
}

}  // namespace egret
