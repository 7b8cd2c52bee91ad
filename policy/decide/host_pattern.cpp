#include "policy/decide/host_pattern.h"

#include "policy/decide/pattern_repair.h"
#include "policy/decide/shared_suffix.h"
#include "policy/target/address_class.h"

namespace egret {
namespace {

// Shorter ranges hold several organisations' networks, and private ones among them.
constexpr int v4_prefix_bits_min = 8;
constexpr int v6_prefix_bits_min = 16;

bool is_too_wide(const Cidr& range) {
  return range.prefix_bits() < (range.base().is_v4() ? v4_prefix_bits_min : v6_prefix_bits_min);
}

// A name or an address written exactly as Host keeps it.
bool is_canonical_host(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (address) return address->text() == text && unwrapped(*address) == *address;
  const auto host = Host::parse(text);
  return host && !host->is_address() && host->text() == text;
}

bool is_canonical_range(std::string_view text) {
  const auto range = Cidr::parse(text);
  if (!range || text.find('/') == std::string_view::npos) return false;
  return range->base() == unwrapped(range->base()) &&
         text == range->base().text() + "/" + std::to_string(range->prefix_bits());
}

bool is_canonical_wildcard(std::string_view text) {
  if (!text.starts_with("*.")) return false;
  const std::string_view name = text.substr(2);
  return is_canonical_host(name) && !IpAddress::parse(name);
}

bool is_well_formed(std::string_view text) {
  return text == "*" || is_canonical_wildcard(text) || is_canonical_range(text) ||
         is_canonical_host(text);
}

constexpr std::string_view how_to_widen = ", or add `dangerous_allow_wildcard: true`";

std::optional<PatternFault> width_fault(std::string_view text) {
  if (text == "*") {
    return PatternFault{"`*` opens every name there is",
                        "name the hosts" + std::string(how_to_widen)};
  }
  if (text.starts_with("*.") && is_shared_suffix(text.substr(2))) {
    return PatternFault{quoted_pattern(text) + " opens names that anybody can register",
                        "write the host itself, such as `name" + std::string(text.substr(1)) + "`" +
                            std::string(how_to_widen)};
  }
  if (const auto range = Cidr::parse(text); range && is_too_wide(*range)) {
    return PatternFault{quoted_pattern(text) + " is a very wide range",
                        "write a range of at least /8 (IPv6: /16)" + std::string(how_to_widen)};
  }
  return std::nullopt;
}

}  // namespace

Result<HostPattern, PatternFault> HostPattern::parse(std::string_view text, Wildcards wildcards) {
  if (!is_well_formed(text)) return explain_host_pattern(text, is_well_formed);
  if (wildcards != Wildcards::any) {
    if (auto fault = width_fault(text)) return std::move(*fault);
  }
  HostPattern pattern;
  pattern.name_ = text;
  if (text == "*") {
    pattern.kind_ = Kind::any;
  } else if (text.starts_with("*.")) {
    pattern.kind_ = Kind::subdomains;
    pattern.name_.erase(0, 2);
  } else {
    pattern.range_ = Cidr::parse(text);
    if (pattern.range_) pattern.name_ = pattern.range_->text();
    if (pattern.range_ && !pattern.range_->single()) pattern.kind_ = Kind::range;
  }
  return pattern;
}

bool HostPattern::matches(const Host& host) const {
  if (kind_ == Kind::any) return !host.is_address();
  if (range_) {
    // IPv4 wrapped in IPv6 is the same place under another name.
    return host.is_address() &&
           (range_->contains(*host.address()) || range_->contains(unwrapped(*host.address())));
  }
  if (host.is_address()) return false;
  const std::string_view text = host.text();
  if (kind_ == Kind::exact) return text == name_;
  return text.size() > name_.size() + 1 && text.ends_with(name_) &&
         text[text.size() - name_.size() - 1] == '.';
}

std::string HostPattern::text() const {
  return kind_ == Kind::subdomains ? "*." + name_ : name_;
}

}  // namespace egret
