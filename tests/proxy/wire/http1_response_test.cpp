#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/wire/http1.h"

using namespace egret;
using namespace std::string_literals;
using Kind = BodyLength::Kind;

namespace {

const WireFault no_fault{0, Reason::rule, ""};

WireFault parse(const std::string& text, const std::string& method, ResponseHead& head,
                BodyLength& length) {
  if (auto read = parse_response_head(text, {}, head); !read) return read.error();
  const auto taken = take_response_length(head, method);
  if (!taken) return taken.error();
  length = *taken;
  return no_fault;
}

}  // namespace

TEST_CASE("a response's body length follows from method, status and framing") {
  struct Row {
    std::string head;
    std::string method;
    BodyLength length;
  };
  const std::vector<Row> rows = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", {Kind::length, 5}},
      {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "GET", {Kind::length, 0}},
      {"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", "GET", {Kind::chunked, 0}},
      {"HTTP/1.1 200 OK\r\n\r\n", "GET", {Kind::until_close, 0}},
      {"HTTP/1.0 200 OK\r\n\r\n", "GET", {Kind::until_close, 0}},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", {}},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", {}},
      {"HTTP/1.1 200 OK\r\n\r\n", "HEAD", {}},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", {}},
      {"HTTP/1.1 204 No Content\r\n\r\n", "GET", {}},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET", {}},
      {"HTTP/1.1 100 Continue\r\n\r\n", "POST", {}},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "GET", {}},
      {"HTTP/1.1 599 X\r\nContent-Length: 1\r\n\r\n", "GET", {Kind::length, 1}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.head);
    ResponseHead head;
    BodyLength length{Kind::length, 77};
    CHECK(parse(row.head, row.method, head, length).status == 0);
    CHECK(length == row.length);
    CHECK_FALSE(head.fields.has("transfer-encoding"));
  }
}

TEST_CASE("content-length stays a plain field for HEAD and 304 only") {
  ResponseHead head;
  BodyLength length;
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  REQUIRE(parse(text, "HEAD", head, length).status == 0);
  CHECK(head.fields.find("content-length") == "5");
  REQUIRE(parse(text, "GET", head, length).status == 0);
  CHECK_FALSE(head.fields.has("content-length"));
}

TEST_CASE("a hostile response is 502, upstream_framing (D17)") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::string> rows = {
      ok + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      ok + "Transfer-Encoding: gzip\r\n\r\n",
      ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      ok + "Transfer-Encoding: identity\r\n\r\n",
      ok + "Content-Length: 5, 5\r\n\r\n",
      ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
      ok + "Content-Length: 005\r\n\r\n",
      ok + "X: a\r\n b\r\n\r\n",
      ok + "X : a\r\n\r\n",
      ok + "X: a\nY: b\r\n\r\n",
      ok + "X: a\0b\r\n\r\n"s,
      "HTTP/1.1 200 OK\nX: a\r\n\r\n",
      "HTTP/1.1 200 O\x01K\r\n\r\n",
      "HTTP/1.1 200 O\rK\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 100 X\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 101 X\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 000 X\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/1.1 600 X\r\n\r\n",
      "HTTP/1.1 999 X\r\n\r\n",
      "HTTP/1.1 20 X\r\n\r\n",
      "HTTP/1.1 2000 X\r\n\r\n",
      "HTTP/1.1 2x0 X\r\n\r\n",
      "HTTP/1.1  200 X\r\n\r\n",
      "HTTP/2 200\r\n\r\n",
      "HTTP/2.0 200 X\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "",
      "\r\n",
      "HTTP/1.1",
      "HTTP/1.1 200",
      ok + "X: " + std::string(40'000, 'a') + "\r\n\r\n",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    ResponseHead head;
    BodyLength length;
    const WireFault fault = parse(row, "GET", head, length);
    CHECK(fault.status == 502);
    CHECK(fault.reason == Reason::upstream_framing);
  }
}

TEST_CASE("the reason phrase may be empty, and loses what is not ASCII") {
  ResponseHead head;
  REQUIRE(parse_response_head("HTTP/1.1 404 N\xf6t Found\r\n\r\n", {}, head).has_value());
  CHECK(head.status == 404);
  CHECK(head.reason == "Nt Found");
  REQUIRE(parse_response_head("HTTP/1.0 200\r\n\r\n", {}, head).has_value());
  CHECK(head.reason.empty());
  CHECK(head.version == Version::http10);
}
