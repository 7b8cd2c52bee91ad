// The path and query of a request, byte for byte as they came (ATTACKS A18, A19). Nothing is
// decoded or normalised: what is not canonical is refused where a rule looks at paths, and passed
// unchanged where none does.
#pragma once

#include <string>
#include <string_view>

#include "policy/result.h"

namespace egret {

enum class PathFault {
  no_leading_slash,  // not origin-form and not `*`
  forbidden_byte,    // control, space, `#`, `\`, `"`, `<`, `>`, or non-ASCII
  too_long,          // over 8 KiB
};
std::string_view describe(PathFault fault);

class RequestPath {
 public:
  static constexpr std::size_t bytes_max = 8192;

  // Origin-form (`/a/b?x=y`) or `*`.
  static Result<RequestPath, PathFault> parse(std::string_view text);

  std::string_view text() const { return text_; }  // with the query
  std::string_view path() const { return std::string_view(text_).substr(0, path_bytes_); }
  // Without its `?`; empty where there is none.
  std::string_view query() const;
  bool has_query() const { return path_bytes_ < text_.size(); }
  // No dot segments (plain, encoded, or before `;params`), no `//`, `\`, `%5c`, `%2f`, `%00`, no
  // encoded control, no invalid or double percent-encoding of those: an origin cannot read it as
  // another path.
  bool is_canonical() const;

 private:
  RequestPath() = default;
  std::string text_;
  std::size_t path_bytes_ = 0;
};

// A canonical path as a lenient origin may read it: lower case, decoded once, without
// `;parameters`. Deny rules look at this too, so that `/%40Evil;x` is denied where `/@evil` is;
// allow rules never do.
std::string lenient_path(std::string_view path);

}  // namespace egret
