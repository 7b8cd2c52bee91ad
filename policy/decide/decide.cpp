#include "policy/decide/decide.h"

#include <tuple>
#include <utility>

#include "policy/decide/hint.h"
#include "policy/decide/rule_match.h"

namespace egret {

// The one place that can make a Permit.
class Decision {
 public:
  Decision(const Policy& policy, const Question& question) : question_(question) {
    policy.for_each_match(question.target.host, [this](const Rule& rule) { weigh(rule); });
  }

  bool permits() const { return deny_ == nullptr && allow_ != nullptr; }
  Permit permit() const { return Permit(question_.target, *allow_); }
  Denial denial() const;

 private:
  void weigh(const Rule& rule);

  const Question& question_;
  const Rule* deny_ = nullptr;
  const Rule* allow_ = nullptr;
  const Rule* nearest_ = nullptr;  // the allow rule that came closest
  Reason miss_ = Reason::host_not_allowed;
};

namespace {

// A total order over rules, so that the rule that is named does not depend on the order of rules:
// the more specific pattern first, then the source.
bool precedes(const Rule& a, const Rule* b) {
  if (b == nullptr) return true;
  const auto key = [](const Rule& rule) {
    const auto& range = rule.host.range();
    const std::size_t width =
        range ? static_cast<std::size_t>(range->prefix_bits()) : rule.host.name().size();
    const bool exact = rule.host.kind() == HostPattern::Kind::exact;
    const bool any = rule.host.kind() == HostPattern::Kind::any;
    return std::tuple(exact, !any, width);
  };
  const auto key_a = key(a);
  const auto key_b = key(*b);
  return key_a != key_b ? key_a > key_b : a.source < b->source;
}

// How far a request got with a rule before it failed.
int progress(Reason miss) {
  switch (miss) {
    case Reason::protocol_denied:
      return 1;
    case Reason::port_not_allowed:
      return 2;
    case Reason::scheme_not_allowed:
      return 3;
    case Reason::method_not_allowed:
      return 4;
    case Reason::path_not_allowed:
      return 5;
    case Reason::path_noncanonical:
      return 6;
    default:
      return 0;
  }
}

Denial refuse_method(const Question& question) {
  return Denial{Reason::method_not_allowed, {}, hint_for(Reason::method_not_allowed, question, {})};
}

}  // namespace

void Decision::weigh(const Rule& rule) {
  if (rule.effect == Effect::deny) {
    if (denies(rule, question_) && precedes(rule, deny_)) deny_ = &rule;
    return;
  }
  const auto miss = miss_of(rule, question_);
  if (!miss) {
    if (precedes(rule, allow_)) allow_ = &rule;
    return;
  }
  const int closer = progress(*miss) - progress(miss_);
  if (closer > 0 || (closer == 0 && nearest_ != nullptr && precedes(rule, nearest_))) {
    nearest_ = &rule;
    miss_ = *miss;
  }
}

Denial Decision::denial() const {
  if (deny_ != nullptr) {
    const Reason reason = reason_of_deny(*deny_, question_);
    return Denial{reason, deny_->source, hint_for_deny(*deny_)};
  }
  if (nearest_ != nullptr) {
    return Denial{miss_, nearest_->source, hint_for(miss_, question_, nearest_->source)};
  }
  const Reason reason =
      question_.target.host.is_address() ? Reason::host_ip_literal : Reason::host_not_allowed;
  return Denial{reason, {}, hint_for(reason, question_, {})};
}

Permit::Permit(Target target, const Rule& rule)
    : target_(std::move(target)),
      rule_(rule.source),
      tunnel_(rule.tunnel),
      address_named_(target_.host.is_address() && rule.host.range().has_value()) {}

Verdict decide(const Policy& policy, const Ask& ask) {
  const Question question{ask.target, Question::Kind::request, ask.method, ask.path};
  if (is_never_permitted(ask.method)) return refuse_method(question);
  const Decision decision(policy, question);
  if (decision.permits()) return decision.permit();
  return decision.denial();
}

Verdict decide_tunnel(const Policy& policy, const Target& target) {
  const Question question{target, Question::Kind::tunnel, {}, nullptr};
  const Decision decision(policy, question);
  if (decision.permits()) return decision.permit();
  return decision.denial();
}

std::optional<Denial> refuse_early(const Policy& policy, const Target& target) {
  const Question tunnel{target, Question::Kind::tunnel, {}, nullptr};
  if (Decision(policy, tunnel).permits()) return std::nullopt;
  const Question request{target, Question::Kind::any_request, {}, nullptr};
  const Decision decision(policy, request);
  if (decision.permits()) return std::nullopt;
  return decision.denial();
}

}  // namespace egret
