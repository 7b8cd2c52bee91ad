#include "proxy/exchange/spellings.h"

#include "policy/secret/secret.h"

namespace egret {
namespace {

constexpr std::string_view upper_digits = "0123456789ABCDEF";
constexpr std::string_view lower_digits = "0123456789abcdef";

struct Writer {
  std::string_view encoded = {};  // these bytes become `before` and two hexadecimal digits
  std::string_view before = {};
  std::string_view digits = upper_digits;
  std::string_view backslashed = {};  // these get a backslash
  char blank = ' ';
};

std::string written(std::string_view text, const Writer& writer) {
  std::string out;
  out.reserve(6 * text.size());  // `\u003c`; growing would leave copies behind
  for (const char c : text) {
    if (writer.encoded.find(c) != std::string_view::npos) {
      const auto byte = static_cast<unsigned char>(c);
      out += writer.before;
      out += writer.digits[byte >> 4];
      out += writer.digits[byte & 15];
      continue;
    }
    if (writer.backslashed.find(c) != std::string_view::npos) out += '\\';
    out += c == ' ' ? writer.blank : c;
  }
  return out;
}

// What URL writers encode beside what all of them do: RFC 3986; the same with the tilde, as old
// ones; encodeURIComponent; a path's; encodeURI; others between.
constexpr std::string_view url_encoded[] = {" \"%<>[\\]^`{|}#!$&'()*+,/:;=?@",
                                            " \"%<>[\\]^`{|}#!$&'()*+,/:;=?@~",
                                            " \"%<>[\\]^`{|}#$&+,/:;=?@",
                                            " \"%<>[\\]^`{|}#!$&'()*+,:;=?@",
                                            " \"%<>[\\]^`{|}#",
                                            " \"%<>[\\]^`{|}#/?",
                                            " \"%<>[\\]^`{|}#&+=;,/?"};

// What JSON writers that keep HTML out of it encode: Go; Gson; .NET and others, with the quote.
constexpr std::string_view json_encoded[] = {"<>&", "<>&'=", "<>&'=\"", "<>&'+\"", "<>&'+\"`"};

}  // namespace

void for_each_text_spelling(std::string_view value,
                            const std::function<void(const std::string&)>& visit) {
  const auto show = [&](const Writer& writer) {
    std::string text = written(value, writer);
    if (text != value) visit(text);
    wipe(text);
  };
  for (const std::string_view digits : {upper_digits, lower_digits}) {
    for (const std::string_view encoded : url_encoded) {
      show({.encoded = encoded, .before = "%", .digits = digits});
      // A form's blank is a plus, for writers that encode a plus. It stands first in these lists.
      if (encoded.find('+') == std::string_view::npos) continue;
      show({.encoded = encoded.substr(1), .before = "%", .digits = digits, .blank = '+'});
    }
    for (const std::string_view encoded : json_encoded)
      show({.encoded = encoded, .before = "\\u00", .digits = digits, .backslashed = "\"\\"});
  }
  show({.backslashed = "\"\\"});
  show({.backslashed = "\"\\/"});
}

std::string json_escaped(std::string_view text) {
  return written(text, {.backslashed = "\"\\"});
}

std::string json_escaped_with_slashes(std::string_view text) {
  return written(text, {.backslashed = "\"\\/"});
}

}  // namespace egret
