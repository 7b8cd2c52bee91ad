// The synthetic addresses of one sandbox: every name that it asks for gets one IPv4 address from
// 198.18.0.0/15 and one IPv6 address from a ULA, and both lead back to the name. No query leaves
// the gate; the real address is looked up when, and if, the name may be dialled (DESIGN part 6).
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/target/address.h"
#include "policy/target/host.h"

namespace egret {

// Thread rule: any thread. Not on the request path: asked by DNS and by connections without a name.
class NameMap {
 public:
  static constexpr std::size_t names_max = 65536;

  struct Entry {
    IpAddress v4;
    IpAddress v6;
    bool is_new = false;
  };
  // Nothing once names_max names have been asked for.
  std::optional<Entry> address_for(const Host& name);
  std::optional<Host> name_of(const IpAddress& address) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> index_of_;
  std::vector<Host> names_;
};

}  // namespace egret
