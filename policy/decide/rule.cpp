#include "policy/decide/rule.h"

#include <algorithm>

#include "policy/decide/pattern_repair.h"
#include "policy/target/request_path.h"

namespace egret {
namespace {

constexpr std::string_view any_segments = "**";

// `*` in a segment's pattern is any number of characters. Going back to the last `*` alone is
// enough, so the work is at most segment times pattern, never exponential (H09).
bool segment_matches(std::string_view pattern, std::string_view segment) {
  if (pattern == "*") return !segment.empty();
  std::size_t p = 0;
  std::size_t s = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (s < segment.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = s;
    } else if (p < pattern.size() && pattern[p] == segment[s]) {
      ++p;
      ++s;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      s = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

// A place between the segments of a path: `at` is where the next one begins.
struct Cursor {
  std::string_view path;
  std::size_t at;

  bool done() const { return at > path.size(); }
  std::string_view segment() const { return path.substr(at, path.find('/', at) - at); }
  void step() { at += segment().size() + 1; }
};

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  for (Cursor cursor{path, 1}; !cursor.done(); cursor.step()) {
    segments.emplace_back(cursor.segment());
  }
  return segments;
}

bool path_matches(const std::vector<std::string>& segments, std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  // As in segment_matches(), one level up: `**` is any number of segments.
  Cursor cursor{path, 1};
  std::size_t p = 0;
  std::optional<std::size_t> star;
  Cursor retry = cursor;
  while (!cursor.done()) {
    if (p < segments.size() && segments[p] == any_segments) {
      star = p++;
      retry = cursor;
    } else if (p < segments.size() && segment_matches(segments[p], cursor.segment())) {
      ++p;
      cursor.step();
    } else if (star) {
      p = *star + 1;
      retry.step();
      cursor = retry;
    } else {
      return false;
    }
  }
  while (p < segments.size() && segments[p] == any_segments)
    ++p;
  return p == segments.size();
}

// Unlike the path of a request, a pattern that cannot be matched is a mistake of its author.
std::optional<PatternFault> path_pattern_fault(std::string_view text) {
  if (text.empty()) return PatternFault{"the path pattern is empty", "write `/**` for every path"};
  if (text.front() != '/') {
    return PatternFault{quoted_pattern(text) + " does not begin with `/`",
                        "write " + quoted_pattern("/" + std::string(text))};
  }
  const auto path = RequestPath::parse(text);
  if (!path)
    return PatternFault{quoted_pattern(text) + ": " + std::string(describe(path.error())),
                        "remove it"};
  if (path->has_query()) {
    return PatternFault{quoted_pattern(text) + " holds a query, which path patterns do not look at",
                        "write " + quoted_pattern(path->path())};
  }
  if (!path->is_canonical()) {
    return PatternFault{quoted_pattern(text) + " matches no canonical path",
                        "write it without `.` and `..` segments, `//` and needless `%` encoding"};
  }
  return std::nullopt;
}

}  // namespace

Result<PathPattern, PatternFault> PathPattern::parse(std::string_view text) {
  if (auto fault = path_pattern_fault(text)) return std::move(*fault);
  PathPattern pattern;
  pattern.text_ = text;
  pattern.segments_ = split(text);
  for (const std::string& segment : pattern.segments_) {
    pattern.folded_segments_.push_back(lenient_path(segment));
    if (segment.find(any_segments) != std::string::npos && segment != any_segments) {
      return PatternFault{quoted_pattern(text) + " has `**` inside a segment",
                          "write `*` there, or `/**` for any number of segments"};
    }
  }
  std::vector<std::string>& folded = pattern.folded_segments_;
  if (folded.size() > 1 && folded.back().empty()) folded.pop_back();
  return pattern;
}

bool PathPattern::matches(std::string_view path) const {
  return path_matches(segments_, path);
}

bool PathPattern::matches_folded(std::string_view lower_case_path) const {
  // Many origins answer `/admin/` as they answer `/admin`.
  if (lower_case_path.size() > 1 && lower_case_path.back() == '/') lower_case_path.remove_suffix(1);
  return path_matches(folded_segments_, lower_case_path);
}

}  // namespace egret
