// A sandbox's effective rules, compiled: lookups cost the number of the host's labels, not the
// number of rules. Immutable; shared between threads as part of a snapshot.
#pragma once

#include <memory>
#include <vector>

#include "policy/decide/rule.h"
#include "policy/target/host.h"

namespace egret {

class Policy {
 public:
  Policy();  // no rules: denies everything
  explicit Policy(std::vector<Rule> rules);
  ~Policy();
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;

  const std::vector<Rule>& rules() const;
  // Calls visit(rule) for every rule whose pattern matches the host, in no promised order.
  template <class Visit>
  void for_each_match(const Host& host, Visit&& visit) const {
    Matches matches = match(host);
    for (std::size_t i = 0; i < matches.count; ++i)
      visit(*matches.rules[i]);
    for (const Rule* rule : matches.more)
      visit(*rule);
  }

 private:
  struct Matches {
    const Rule* rules[8];
    std::size_t count = 0;
    std::vector<const Rule*> more;  // only past eight, so that a usual lookup allocates nothing
  };
  struct Index;
  Matches match(const Host& host) const;
  std::unique_ptr<Index> index_;
};

}  // namespace egret
