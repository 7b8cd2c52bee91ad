#include "policy/decide/address_gate.h"

#include <algorithm>

#include "policy/target/address_class.h"

namespace egret {

// The one place that can make a CheckedAddress.
class AddressGate {
 public:
  static CheckedAddress pass(const IpAddress& address, std::uint16_t port) {
    return {address, port};
  }
};

namespace {

Denial forbidden(std::string hint) {
  return Denial{Reason::addr_forbidden, {}, std::move(hint)};
}

Denial forbidden_metadata() {
  return forbidden("cloud metadata addresses are never opened, whatever a rule says");
}

bool is_own(const AddressRules& rules, const IpAddress& address) {
  const IpAddress inner = unwrapped(address);
  // Connecting to `0.0.0.0` or `::` reaches this machine.
  if (classify(address) == AddressClass::unspecified) return true;
  return std::any_of(rules.own_addresses.begin(), rules.own_addresses.end(),
                     [&](const IpAddress& own) { return unwrapped(own) == inner; });
}

bool is_opened(const AddressRules& rules, const IpAddress& address) {
  const IpAddress inner = unwrapped(address);
  return std::any_of(rules.allowed.begin(), rules.allowed.end(), [&](const Cidr& range) {
    return range.contains(address) || range.contains(inner);
  });
}

const DeniedRange* denial_of(const AddressRules& rules, const IpAddress& address,
                             std::uint16_t port) {
  const IpAddress inner = unwrapped(address);
  for (const DeniedRange& denied : rules.denied) {
    const bool listed = denied.ports.empty() || std::find(denied.ports.begin(), denied.ports.end(),
                                                          port) != denied.ports.end();
    if (listed && (denied.range.contains(address) || denied.range.contains(inner))) return &denied;
  }
  return nullptr;
}

std::string quoted_pin(const Target& target, const IpAddress& address) {
  return "\"" + target.host.text() + ": " + address.text() + "\"";
}

}  // namespace

std::vector<DeniedRange> denied_ranges(const std::vector<Rule>& rules) {
  std::vector<DeniedRange> out;
  for (const Rule& rule : rules) {
    // Narrowed by methods or paths it still denies: at an address neither can be told.
    if (rule.effect == Effect::deny && rule.host.range())
      out.push_back({*rule.host.range(), rule.ports, rule.source});
  }
  return out;
}

const ResolvePin* pin_for(const AddressRules& rules, const Host& host) {
  const ResolvePin* best = nullptr;
  for (const ResolvePin& pin : rules.pins) {
    if (!pin.host.matches(host)) continue;
    if (pin.host.kind() == HostPattern::Kind::exact) return &pin;
    // Of two wildcards the longer one says more.
    if (best == nullptr || pin.host.text().size() > best->host.text().size()) best = &pin;
  }
  return best;
}

Result<CheckedAddress, Denial> check_address(const Permit& permit, const AddressRules& rules,
                                             const IpAddress& resolved) {
  const Target& target = permit.target();
  const AddressClass address_class = classify(resolved);
  if (address_class == AddressClass::metadata) return forbidden_metadata();

  const ResolvePin* pin = pin_for(rules, target.host);
  if (pin != nullptr && pin->address == resolved) return check_pin(permit, *pin);
  if (target.host.is_address() && *target.host.address() != resolved) {
    return forbidden("the permit names another address");
  }
  if (const DeniedRange* denied = denial_of(rules, resolved, target.port)) {
    return Denial{Reason::addr_forbidden, denied->source,
                  "the name leads to " + resolved.text() + ", which the rule at " + denied->source +
                      " denies"};
  }
  if (is_own(rules, resolved)) {
    return forbidden(
        "this is an address of the gate's own machine; to open it for this name, add " +
        quoted_pin(target, resolved) + " to origins.resolve in egret.yaml");
  }
  if (address_class == AddressClass::global || permit.address_named() ||
      is_opened(rules, resolved)) {
    return AddressGate::pass(resolved, target.port);
  }
  return forbidden("the name leads to " + resolved.text() + " (" +
                   std::string(name(address_class)) +
                   "); to open it, add it to origins.allow_addresses in egret.yaml");
}

Result<CheckedAddress, Denial> check_pin(const Permit& permit, const ResolvePin& pin) {
  if (classify(pin.address) == AddressClass::metadata) return forbidden_metadata();
  if (!pin.host.matches(permit.target().host)) {
    return forbidden("the entry of origins.resolve is for another name");
  }
  return AddressGate::pass(pin.address, pin.port.value_or(permit.target().port));
}

}  // namespace egret
