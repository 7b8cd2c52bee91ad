#include "proxy/io/origin_pool.h"

#include <iterator>
#include <utility>

namespace egret {

std::unique_ptr<Http1OriginConnection> OriginPool::take(const std::string& key) {
  const auto found = idle_.find(key);
  if (found == idle_.end()) return nullptr;
  auto& connections = found->second;
  while (!connections.empty()) {
    auto connection = std::move(connections.back());
    connections.pop_back();
    --size_;
    if (connection->still_good()) return connection;
  }
  idle_.erase(found);
  return nullptr;
}

void OriginPool::give_back(const std::string& key,
                           std::unique_ptr<Http1OriginConnection> connection) {
  auto& connections = idle_[key];
  if (connections.size() >= a_key_max || size_ >= all_max) return;
  connection->rest();
  connections.push_back(std::move(connection));
  ++size_;
}

void OriginPool::prune() {
  for (auto entry = idle_.begin(); entry != idle_.end();) {
    size_ -= std::erase_if(entry->second,
                           [](const auto& connection) { return !connection->still_good(); });
    entry = entry->second.empty() ? idle_.erase(entry) : std::next(entry);
  }
}

void OriginPool::clear() {
  idle_.clear();
  size_ = 0;
}

}  // namespace egret
