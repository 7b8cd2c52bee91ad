// A request as a connection reads it, and tables of such texts with the status each gets.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/wire/http1.h"

namespace egret::http1_tests {

struct Parsed {
  int status = 0;  // 0: accepted
  Reason reason = Reason::rule;
  RequestHead head;
  BodyLength length;
};

// As a connection does it: find the head, parse it, take its framing.
inline Parsed parse(const std::string& text, const Http1Limits& limits = {}) {
  Parsed parsed;
  std::size_t scanned = 0;
  const auto end = find_head_end(text, scanned);
  WireFault fault{-1, Reason::rule, ""};
  if (!end) {
    if (text.size() >= limits.head_bytes_max) fault = head_too_large(text, limits);
  } else if (auto read =
                 parse_request_head(std::string_view(text).substr(0, *end), limits, parsed.head);
             !read) {
    fault = read.error();
  } else if (auto length = take_request_length(parsed.head); !length) {
    fault = length.error();
  } else {
    fault.status = 0;
    parsed.length = *length;
  }
  parsed.status = fault.status;
  parsed.reason = fault.reason;
  return parsed;
}

inline std::string with(const std::string& fields) {
  return "POST /x HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n";
}
inline std::string get(const std::string& line) {
  return line + "\r\nHost: a.example\r\n\r\n";
}

struct Row {
  std::string text;
  int status;
};

inline void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(parse(row.text).status == row.status);
  }
}

}  // namespace egret::http1_tests
