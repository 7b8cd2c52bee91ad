// The host part of a rule: `host`, `*.host` (any deeper name, not the apex), an IP literal, a CIDR
// range, or `*` (any DNS name, never an IP literal) where the caller allows it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/target/host.h"

namespace egret {

// What is wrong with a pattern and what to write instead, in words for the person who wrote it.
struct PatternFault {
  std::string what;
  std::string instead;
};

enum class Wildcards {
  below_registrable_domain,  // `*.example.com`; `*`, `*.com` and `*.github.io` are refused (A04)
  any,                       // the rule says dangerous_allow_wildcard: true
};

class HostPattern {
 public:
  enum class Kind { exact, subdomains, range, any };

  // Strict: hosts in lower-case A-labels, nothing is repaired; the fault names the form to use
  // (J10).
  static Result<HostPattern, PatternFault> parse(
      std::string_view text, Wildcards wildcards = Wildcards::below_registrable_domain);

  bool matches(const Host& host) const;
  Kind kind() const { return kind_; }
  // exact: the host; subdomains: the name behind `*.`; range: the CIDR; any: `*`
  const std::string& name() const { return name_; }
  // Where kind() is range, and where it is an IP literal: the addresses it names.
  const std::optional<Cidr>& range() const { return range_; }
  std::string text() const;
  bool operator==(const HostPattern& other) const {
    return kind_ == other.kind_ && name_ == other.name_;
  }

 private:
  HostPattern() = default;
  Kind kind_ = Kind::exact;
  std::string name_;
  std::optional<Cidr> range_;
};

}  // namespace egret
