// Idle origin connections of one worker, by pool key: sandbox, target and policy generation. One is
// never given to another sandbox or another name (ATTACKS C07).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/io/http1_origin.h"

namespace egret {

class OriginPool {
 public:
  static constexpr std::size_t a_key_max = 16;
  static constexpr std::size_t all_max = 256;

  // An idle connection that still stands, or null.
  std::unique_ptr<Http1OriginConnection> take(const std::string& key);
  void give_back(const std::string& key, std::unique_ptr<Http1OriginConnection> connection);
  // Closes what the origins have closed or what is too old. Call now and then.
  void prune();
  void clear();
  std::size_t size() const { return size_; }

 private:
  std::unordered_map<std::string, std::vector<std::unique_ptr<Http1OriginConnection>>> idle_;
  std::size_t size_ = 0;
};

}  // namespace egret
