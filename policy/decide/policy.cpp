#include "policy/decide/policy.h"

#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "policy/target/address_class.h"

namespace egret {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

using RuleMap =
    std::unordered_map<std::string, std::vector<const Rule*>, TextHash, std::equal_to<>>;

}  // namespace

struct Policy::Index {
  std::vector<Rule> rules;  // never changed after construction: the others point into it
  RuleMap exact;            // by the host's text
  RuleMap subdomains;       // by the name behind `*.`
  std::vector<const Rule*> ranges;
  std::vector<const Rule*> any;
};

Policy::Policy() = default;
Policy::~Policy() = default;
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;

Policy::Policy(std::vector<Rule> rules) : index_(std::make_unique<Index>()) {
  index_->rules = std::move(rules);
  for (const Rule& rule : index_->rules) {
    switch (rule.host.kind()) {
      case HostPattern::Kind::exact:
        index_->exact[rule.host.name()].push_back(&rule);
        break;
      case HostPattern::Kind::subdomains:
        index_->subdomains[rule.host.name()].push_back(&rule);
        break;
      case HostPattern::Kind::range:
        index_->ranges.push_back(&rule);
        break;
      case HostPattern::Kind::any:
        index_->any.push_back(&rule);
        break;
    }
  }
}

const std::vector<Rule>& Policy::rules() const {
  static const std::vector<Rule> none;
  return index_ ? index_->rules : none;
}

Policy::Matches Policy::match(const Host& host) const {
  Matches matches;
  if (!index_) return matches;
  const auto add = [&](const Rule* rule) {
    if (matches.count < std::size(matches.rules)) {
      matches.rules[matches.count++] = rule;
    } else {
      matches.more.push_back(rule);
    }
  };
  const auto add_from = [&](const RuleMap& map, std::string_view key) {
    const auto found = map.find(key);
    if (found == map.end()) return;
    for (const Rule* rule : found->second)
      add(rule);
  };

  add_from(index_->exact, host.text());
  if (host.is_address()) {
    // IPv4 wrapped in IPv6 is the same place under another name.
    const IpAddress inner = unwrapped(*host.address());
    if (inner != *host.address()) add_from(index_->exact, inner.text());
    for (const Rule* rule : index_->ranges) {
      if (rule->host.matches(host)) add(rule);
    }
    return matches;
  }
  if (!index_->subdomains.empty()) {
    const std::string_view text = host.text();
    for (std::size_t dot = text.find('.'); dot != text.npos; dot = text.find('.', dot + 1)) {
      add_from(index_->subdomains, text.substr(dot + 1));
    }
  }
  for (const Rule* rule : index_->any)
    add(rule);
  return matches;
}

}  // namespace egret
