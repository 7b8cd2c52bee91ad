// Request paths: kept byte for byte, and a canonical one means one place to whoever decodes it
// (ATTACKS A18).
#include <string>

#include "policy/target/request_path.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    out.push_back(escape ? static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i]);
    if (escape) i += 2;
  }
  return out;
}

// As a lenient origin would split it.
void check_segments(const std::string& path) {
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    std::string segment = path.substr(begin, end - begin);
    segment = segment.substr(0, segment.find(';'));
    require(segment != "." && segment != "..", "no dot segment in a canonical path");
    require(!segment.empty() || end == path.size(), "no empty segment in a canonical path");
    begin = end + 1;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).rest();
  const auto path = RequestPath::parse(text);
  if (!path) return 0;
  require(path->text() == text, "a path is kept byte for byte");
  require(text == "*" || text.front() == '/', "a path begins with a slash");
  const std::string whole = std::string(path->path()) + (path->has_query() ? "?" : "");
  require(whole + std::string(path->query()) == text, "path and query make up the whole");
  require(path->path().find('?') == std::string_view::npos, "the path ends at the first ?");
  for (const char c : text)
    require(c > 0x20 && c < 0x7f && c != '#' && c != '\\', "clean octets");
  lenient_path(path->path());
  if (!path->is_canonical() || text.front() != '/') return 0;
  const std::string once = decoded(path->path());
  check_segments(std::string(path->path()));
  check_segments(once);
  for (const char c : once)
    require(static_cast<unsigned char>(c) >= 0x20, "no encoded control");
  require(once.find('\\') == std::string::npos, "no encoded backslash");
  require(std::count(once.begin(), once.end(), '/') ==
              std::count(path->path().begin(), path->path().end(), '/'),
          "no encoded slash");
  return 0;
}
