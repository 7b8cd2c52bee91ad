// Heads: RFC 9112 parts 2 to 5, read once from left to right.
#include "proxy/wire/http1.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t version_bytes = 8;  // `HTTP/1.1`

WireFault malformed(const char* what) {
  return {400, Reason::framing_invalid, what};
}

Result<Version, WireFault> read_version(std::string_view text) {
  if (text == "HTTP/1.1") return Version::http11;
  if (text == "HTTP/1.0") return Version::http10;
  const bool shaped = text.size() == version_bytes && text.starts_with("HTTP/") &&
                      syntax::is_digit(text[5]) && text[6] == '.' && syntax::is_digit(text[7]);
  if (shaped)
    return WireFault{505, Reason::framing_invalid, "an HTTP version other than 1.0 and 1.1"};
  return malformed("no HTTP version where one has to be");
}

// Both first lines leave in `at` where the fields begin.
Result<void, WireFault> read_request_line(std::string_view head, const Http1Limits& limits,
                                          std::size_t& at, RequestHead& out) {
  std::size_t method_end = 0;
  while (method_end < head.size() && syntax::is(head[method_end], syntax::token))
    ++method_end;
  if (method_end == 0 || method_end == head.size() || head[method_end] != ' ') {
    return malformed("a request line begins with a method and one space");
  }
  const std::size_t target_at = method_end + 1;
  const std::size_t target_end = head.find_first_of(" \r\n", target_at);
  if (target_end == std::string_view::npos || head[target_end] != ' ') {
    return malformed("a request line of fewer than three parts");
  }
  const std::size_t line_end = target_end + 1 + version_bytes;
  const std::string_view rest = head.substr(target_end + 1);
  const std::string_view version_text = rest.substr(0, rest.find_first_of("\r\n"));
  const auto version = read_version(version_text);
  if (!version) return version.error();
  if (head.substr(line_end, 2) != "\r\n") return malformed("a line that does not end in CRLF");
  if (method_end > method_bytes_max) {
    return WireFault{501, Reason::method_not_allowed, "a method that nobody has"};
  }
  if (target_end - target_at > limits.target_bytes_max) {
    return WireFault{414, Reason::limit_uri_bytes, "request target too long"};
  }
  out.method.assign(head.substr(0, method_end));
  out.target.assign(head.substr(target_at, target_end - target_at));
  out.version = *version;
  const auto form = syntax::target_form(out.method, out.target);
  if (!form) return form.error();
  out.form = *form;
  at = line_end + 2;
  return {};
}

Result<void, WireFault> read_status_line(std::string_view head, std::size_t& at,
                                         ResponseHead& out) {
  const auto version = read_version(head.substr(0, version_bytes));
  if (!version) return version.error();
  out.version = *version;
  const std::string_view code = head.substr(version_bytes, 4);
  if (code.size() < 4 || code[0] != ' ' || code[1] < '1' || code[1] > '5' ||
      !syntax::is_digit(code[2]) || !syntax::is_digit(code[3])) {
    return malformed("a status that is not 100 to 599");
  }
  out.status = (code[1] - '0') * 100 + (code[2] - '0') * 10 + (code[3] - '0');
  std::size_t i = version_bytes + code.size();
  if (i < head.size() && head[i] == ' ') {
    // Nobody needs the phrase: what is not ASCII in it is left out.
    for (++i; i < head.size() && syntax::is(head[i], syntax::value); ++i) {
      if (syntax::is(head[i], syntax::printable)) out.reason.push_back(head[i]);
    }
  }
  if (head.substr(i, 2) != "\r\n") return malformed("a status line that does not end in CRLF");
  at = i + 2;
  return {};
}

Result<void, WireFault> read_fields(std::string_view head, std::size_t at,
                                    const Http1Limits& limits, FieldList& out) {
  while (head.substr(at) != "\r\n") {
    const auto line = syntax::read_field_line(head, at, limits.field_bytes_max);
    if (!line) return line.error();
    if (out.size() == limits.fields_max) {
      return WireFault{431, Reason::limit_header_fields, "too many fields"};
    }
    out.add(line->name, line->value);
    at = line->next;
  }
  return {};
}

// What the one Host field says is for policy to judge (ATTACKS A12).
Result<void, WireFault> check_host_count(const RequestHead& head) {
  const std::size_t hosts = head.fields.count("host");
  if (hosts > 1) return WireFault{400, Reason::host_malformed, "more than one Host field"};
  if (hosts == 0 && head.version == Version::http11) {
    return WireFault{400, Reason::host_malformed, "no Host field"};
  }
  return {};
}

Result<void, WireFault> read_request(std::string_view head, const Http1Limits& limits,
                                     RequestHead& out) {
  std::size_t at = 0;
  if (auto read = read_request_line(head, limits, at, out); !read) return read;
  if (head.size() > limits.head_bytes_max) return head_too_large(head, limits);
  if (auto read = read_fields(head, at, limits, out.fields); !read) return read;
  return check_host_count(out);
}

Result<void, WireFault> read_response(std::string_view head, const Http1Limits& limits,
                                      ResponseHead& out) {
  if (head.size() > limits.head_bytes_max) return head_too_large(head, limits);
  std::size_t at = 0;
  if (auto read = read_status_line(head, at, out); !read) return read;
  return read_fields(head, at, limits, out.fields);
}

}  // namespace

std::optional<std::size_t> find_head_end(std::string_view buffer, std::size_t& scanned) {
  if (buffer.starts_with("\n")) return 1;
  if (buffer.starts_with("\r\n")) return 2;
  for (;;) {
    const std::size_t lf = buffer.find('\n', scanned);
    if (lf == std::string_view::npos) {
      scanned = buffer.size();
      return std::nullopt;
    }
    const std::string_view behind = buffer.substr(lf + 1, 2);
    if (behind.starts_with('\n')) return lf + 2;
    if (behind == "\r\n") return lf + 3;
    if (behind.empty() || behind == "\r") {
      scanned = lf;
      return std::nullopt;
    }
    scanned = lf + 1;
  }
}

WireFault head_too_large(std::string_view buffer, const Http1Limits& limits) {
  if (buffer.substr(0, limits.target_bytes_max).find('\n') == std::string_view::npos) {
    return {414, Reason::limit_uri_bytes, "request target too long"};
  }
  return {431, Reason::limit_head_bytes, "head too long"};
}

Result<void, WireFault> parse_request_head(std::string_view head, const Http1Limits& limits,
                                           RequestHead& out) {
  out.method.clear();
  out.target.clear();
  out.fields.clear();
  return read_request(head, limits, out);
}

Result<void, WireFault> parse_response_head(std::string_view head, const Http1Limits& limits,
                                            ResponseHead& out) {
  out.status = 0;
  out.reason.clear();
  out.fields.clear();
  if (auto read = read_response(head, limits, out); !read) return origin_fault(read.error());
  return {};
}

}  // namespace egret
