// Which resolved addresses may be dialled for a permit. Resolution happens once, every address is
// classified, and the very address that was checked is dialled (ATTACKS B01, B02, B05, B11, A25).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/decide/decide.h"
#include "policy/decide/host_pattern.h"
#include "policy/decide/rule.h"
#include "policy/target/address.h"

namespace egret {

// `origins.resolve`: like curl --resolve, it opens exactly this address for those names.
struct ResolvePin {
  HostPattern host;
  IpAddress address;
  std::optional<std::uint16_t> port;  // dialled instead of the target's port
};

// A deny rule whose pattern is an address or a range: it holds for names that lead there too.
struct DeniedRange {
  Cidr range;
  std::vector<std::uint16_t> ports;  // empty: all
  std::string source;                // `egret.yaml:14`
};
std::vector<DeniedRange> denied_ranges(const std::vector<Rule>& rules);

struct AddressRules {
  std::vector<Cidr> allowed;             // origins.allow_addresses
  std::vector<ResolvePin> pins;          // origins.resolve; an exact host beats a wildcard
  std::vector<IpAddress> own_addresses;  // of this machine's interfaces: refused unless pinned
  std::vector<DeniedRange> denied;       // of the sandbox's rules; a pin is more exact and passes
};

const ResolvePin* pin_for(const AddressRules& rules, const Host& host);

// An address and port that have passed the gate. Made by check_address() and check_pin() alone; the
// dialer takes nothing else.
class CheckedAddress {
 public:
  const IpAddress& address() const { return address_; }
  std::uint16_t port() const { return port_; }

 private:
  friend class AddressGate;
  CheckedAddress(const IpAddress& address, std::uint16_t port) : address_(address), port_(port) {}
  IpAddress address_;
  std::uint16_t port_;
};

// For an address that DNS gave, or that the target itself is.
Result<CheckedAddress, Denial> check_address(const Permit& permit, const AddressRules& rules,
                                             const IpAddress& resolved);
// For a pinned name: exactly the pinned address. Metadata stays refused.
Result<CheckedAddress, Denial> check_pin(const Permit& permit, const ResolvePin& pin);

}  // namespace egret
