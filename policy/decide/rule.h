// One line of a policy, as a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decide/host_pattern.h"
#include "policy/result.h"

namespace egret {

// `/repos/acme/**`: `*` is one segment (not empty) or a part of one (`v*`), `**` any number of
// whole segments, also none.
class PathPattern {
 public:
  static Result<PathPattern, PatternFault> parse(std::string_view text);
  // The path without its query; the caller has made sure that it is canonical.
  bool matches(std::string_view path) const;
  // For deny rules: `lower_case_path` is the path as a lenient origin may read it; a slash at the
  // end of either makes no difference.
  bool matches_folded(std::string_view lower_case_path) const;
  const std::string& text() const { return text_; }

 private:
  PathPattern() = default;
  std::string text_;
  std::vector<std::string> segments_;
  std::vector<std::string> folded_segments_;  // lower case, decoded, without a slash at the end
};

enum class Effect : std::uint8_t { deny, allow };

struct Rule {
  Effect effect = Effect::deny;
  HostPattern host;
  std::vector<std::uint16_t> ports{};  // empty: 80 for http, 443 for https
  std::vector<std::string> methods{};  // empty: GET HEAD POST PUT PATCH DELETE OPTIONS
  std::vector<PathPattern> paths{};    // empty: any path, also a non-canonical one
  bool tunnel = false;   // relayed without TLS interception: no secrets, no methods, no paths
  std::string source{};  // `egret.yaml:14`, `profile npm:3`, `--allow`
};

}  // namespace egret
