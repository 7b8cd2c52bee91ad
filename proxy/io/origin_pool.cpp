#include "proxy/io/origin_pool.h"

#include <iterator>
#include <utility>

#include <boost/asio/redirect_error.hpp>

namespace egret {

std::unique_ptr<OriginExchange> OriginPool::reuse(const std::string& key, const std::string& method,
                                                  HttpOffer offer) {
  if (offer == HttpOffer::http2_and_http1) {
    if (auto shared = share(key, method)) return shared;
  }
  const auto found = idle_.find(key);
  if (found == idle_.end()) return nullptr;
  auto& connections = found->second;
  while (!connections.empty()) {
    auto connection = std::move(connections.back());
    connections.pop_back();
    --size_;
    if (!connection->still_good()) continue;
    if (connection->asks_proxy() && offer == HttpOffer::http1) continue;  // an upgrade
    connection->begin(method);
    return connection;
  }
  idle_.erase(found);
  return nullptr;
}

std::unique_ptr<OriginExchange> OriginPool::share(const std::string& key,
                                                  const std::string& method) {
  const auto found = shared_.find(key);
  if (found == shared_.end()) return nullptr;
  for (const auto& connection : found->second) {
    if (connection->has_room()) return connection->begin(method);
  }
  return nullptr;
}

std::unique_ptr<OriginExchange> OriginPool::adopt(const std::string& key, const std::string& method,
                                                  OriginStream origin) {
  if (agreed_on_http2(origin.stream->ssl())) {
    const auto connection = Http2OriginConnection::start(std::move(origin), http2_, timeouts_);
    shared_[key].push_back(connection);
    return connection->begin(method);
  }
  if (http1_only_.size() < known_max) http1_only_.insert(key);
  auto connection = std::make_unique<Http1OriginConnection>(std::move(origin), http1_, timeouts_);
  connection->begin(method);
  return connection;
}

Task<void> OriginPool::wait_for_announced(const std::string& key) {
  const auto found = dials_.find(key);
  if (found == dials_.end() || http1_only_.contains(key)) co_return;
  const std::shared_ptr<Dial> dial = found->second;
  error_code ignored;
  co_await dial->over.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

OriginPool::Announced::Announced(OriginPool& pool, std::string key,
                                 const asio::any_io_executor& executor)
    : pool_(pool), key_(std::move(key)) {
  auto& dial = pool_.dials_[key_];
  if (!dial) {
    dial = std::make_shared<Dial>(executor);
    dial->over.expires_at(asio::steady_timer::time_point::max());
  }
  ++dial->running;
}

OriginPool::Announced::~Announced() {
  const auto found = pool_.dials_.find(key_);
  if (found == pool_.dials_.end()) return;
  found->second->over.cancel();  // whatever came of it: who waits looks again
  if (--found->second->running == 0) pool_.dials_.erase(found);
}

void OriginPool::give_back(const std::string& key, std::unique_ptr<OriginExchange> exchange) {
  auto* const http1 = dynamic_cast<Http1OriginConnection*>(exchange.get());
  if (http1 == nullptr || !http1->reusable()) return;
  auto& connections = idle_[key];
  if (connections.size() >= a_key_max || size_ >= all_max) return;
  http1->rest();
  connections.emplace_back(http1);
  static_cast<void>(exchange.release());
  ++size_;
}

void OriginPool::prune() {
  for (auto entry = idle_.begin(); entry != idle_.end();) {
    size_ -= std::erase_if(entry->second,
                           [](const auto& connection) { return !connection->still_good(); });
    entry = entry->second.empty() ? idle_.erase(entry) : std::next(entry);
  }
  for (auto entry = shared_.begin(); entry != shared_.end();) {
    std::erase_if(entry->second, [](const auto& connection) { return connection->ended(); });
    entry = entry->second.empty() ? shared_.erase(entry) : std::next(entry);
  }
}

void OriginPool::clear() {
  idle_.clear();
  size_ = 0;
  for (const auto& [key, connections] : shared_) {
    for (const auto& connection : connections)
      connection->retire();
  }
  shared_.clear();
  http1_only_.clear();
}

}  // namespace egret
