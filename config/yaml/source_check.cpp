#include "config/yaml/source_check.h"

#include <cstdint>
#include <cstdio>
#include <optional>

namespace egret::yaml {
namespace {

struct Character {
  std::uint32_t code_point;
  std::size_t bytes;
};

// RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
std::optional<Character> decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return std::nullopt;
  std::uint32_t code_point = lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return std::nullopt;
    code_point = (code_point << 6U) | (byte(i) & 0x3fU);
  }
  const bool overlong = (bytes == 3 && code_point < 0x800) || (bytes == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (overlong || surrogate || code_point > 0x10ffff) return std::nullopt;
  return Character{code_point, bytes};
}

// Controls, and characters that make a line look like something else than what it says.
bool is_forbidden(std::uint32_t c) {
  if (c < 0x20) return c != '\t' && c != '\n' && c != '\r';
  return (c >= 0x7f && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x00ad;
}

std::string code_point_text(std::uint32_t code_point) {
  char text[16];
  std::snprintf(text, sizeof text, "U+%04X", static_cast<unsigned>(code_point));
  return text;
}

void check_character(std::string_view rest, std::uint32_t c, Mark mark, bool indentation,
                     Problems& problems) {
  if (is_forbidden(c)) {
    problems.add(mark, "the invisible or control character " + code_point_text(c),
                 "remove it; a configuration is plain text");
  } else if (c == '\r' && (rest.size() < 2 || rest[1] != '\n')) {
    problems.add(mark, "a carriage return without a line feed", "end lines with a line feed");
  } else if (c == '\t' && indentation) {
    problems.add(mark, "a tab in the indentation", "indent with spaces");
  }
}

}  // namespace

Source check_source(std::string_view text, Problems& problems) {
  if (text.size() > file_bytes_max) {
    problems.add_whole_file("the file is larger than 1 MiB", "write a smaller one");
    return Source::unreadable;
  }
  const bool clean_before = problems.empty();
  Mark mark;
  bool indentation = true;
  while (!text.empty()) {
    const std::optional<Character> character = decode_utf8(text);
    if (!character) {
      problems.add(mark, "a byte that is not UTF-8", "save the file as UTF-8");
      break;
    }
    check_character(text, character->code_point, mark, indentation, problems);
    if (character->code_point == '\n') {
      mark = {mark.line + 1, 1};
      indentation = true;
    } else {
      mark.column += static_cast<int>(character->bytes);
      if (character->code_point != ' ' && character->code_point != '\t') indentation = false;
    }
    text.remove_prefix(character->bytes);
  }
  return clean_before && problems.empty() ? Source::readable : Source::unreadable;
}

}  // namespace egret::yaml
