#include "policy/target/request_path.h"

#include <algorithm>
#include <optional>

namespace egret {
namespace {

bool is_forbidden(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte <= 0x20 || byte >= 0x7f) return true;
  return c == '#' || c == '\\' || c == '"' || c == '<' || c == '>';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<unsigned> hex_pair(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const int high = hex_value(text[0]);
  const int low = hex_value(text[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<unsigned>(high * 16 + low);
}

bool is_unreserved(unsigned byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

// Encodings that some origin reads as another path: separators, controls, and characters that
// never need encoding (RFC 3986 6.2.2.2: `%73ecret` is `secret`).
bool is_ambiguous(unsigned byte) {
  return byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' || is_unreserved(byte);
}

// `text` begins behind the `%` of a byte that starts a UTF-8 sequence longer than it has to be:
// lenient decoders turn `%c0%ae` into a dot.
bool is_overlong(unsigned byte, std::string_view text) {
  if (byte == 0xc0 || byte == 0xc1) return true;
  const std::string_view next = text.substr(2, 2);
  return (byte == 0xe0 && (next == "%8" || next == "%9")) || (byte == 0xf0 && next == "%8");
}

// `text` begins behind a `%`.
bool is_canonical_escape(std::string_view text) {
  const auto byte = hex_pair(text);
  if (!byte) return false;
  if (is_ambiguous(*byte) || is_overlong(*byte, text)) return false;
  if (*byte != '%') return true;
  // An encoded percent sign: whatever a second and third decoding would find must be harmless too.
  std::string_view inner = text.substr(2);
  while (inner.starts_with("25"))
    inner.remove_prefix(2);
  const auto twice = hex_pair(inner);
  return !twice || (!is_ambiguous(*twice) && *twice != ';');
}

std::string_view without_parameters(std::string_view segment) {
  segment = segment.substr(0, segment.find(';'));
  return segment.substr(0, std::min(segment.find("%3b"), segment.find("%3B")));
}

}  // namespace

Result<RequestPath, PathFault> RequestPath::parse(std::string_view text) {
  if (text.empty() || (text.front() != '/' && text != "*")) return PathFault::no_leading_slash;
  if (text.size() > bytes_max) return PathFault::too_long;
  if (std::any_of(text.begin(), text.end(), is_forbidden)) return PathFault::forbidden_byte;
  RequestPath path;
  path.text_ = text;
  path.path_bytes_ = std::min(text.find('?'), text.size());
  return path;
}

std::string_view RequestPath::query() const {
  return has_query() ? std::string_view(text_).substr(path_bytes_ + 1) : std::string_view();
}

bool RequestPath::is_canonical() const {
  const std::string_view whole = path();
  for (std::size_t at = whole.find('%'); at != std::string_view::npos;
       at = whole.find('%', at + 1)) {
    if (!is_canonical_escape(whole.substr(at + 1))) return false;
  }
  // `%2e` has been refused above, so dot segments are plain by now.
  if (whole == "*") return true;
  for (std::size_t begin = 1;;) {
    const std::size_t slash = whole.find('/', begin);
    const std::string_view segment = without_parameters(whole.substr(begin, slash - begin));
    if (segment == "." || segment == "..") return false;
    if (slash == std::string_view::npos) return true;
    if (segment.empty()) return false;
    begin = slash + 1;
  }
}

std::string lenient_path(std::string_view path) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  std::string out;
  out.reserve(path.size());
  bool in_parameters = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = lower(path[i]);
    if (c == '/') in_parameters = false;
    if (c == '%') {
      if (const auto byte = hex_pair(path.substr(i + 1))) {
        c = lower(static_cast<char>(*byte));
        i += 2;
      }
    }
    if (c == ';') in_parameters = true;
    if (!in_parameters) out += c;
  }
  return out;
}

std::string_view describe(PathFault fault) {
  switch (fault) {
    case PathFault::no_leading_slash:
      return "a path begins with `/`";
    case PathFault::forbidden_byte:
      return "a path holds printable ASCII without `#`, `\\`, `\"`, `<`, `>`";
    case PathFault::too_long:
      return "a path and its query are at most 8192 bytes long";
  }
  return "the path is malformed";
}

}  // namespace egret
