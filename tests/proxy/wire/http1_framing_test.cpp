#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/proxy/wire/http1_rows.h"

using namespace egret;
using namespace egret::http1_tests;

TEST_CASE("transfer-encoding is exactly chunked, alone, in HTTP/1.1 (D01, D02, D04)") {
  check_rows({
      {with("Transfer-Encoding: chunked\r\n"), 0},
      {with("Transfer-Encoding: CHUNKED\r\n"), 0},
      {with("Transfer-Encoding:\t chunked \r\n"), 0},
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400},
      {with("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding:\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: gzip\r\n"), 501},
      {with("Transfer-Encoding: identity\r\n"), 400},
      {with("Transfer-Encoding: xchunked\r\n"), 400},
      {with("Transfer-Encoding:\r\n"), 400},
      {with("Transfer-Encoding: \"chunked\"\r\n"), 400},
      {with("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {with("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {with("Transfer-Encoding: gzip, chunked\r\n"), 400},
      {with("Transfer-Encoding: ,chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked,\r\n"), 400},
      {with("Transfer-Encoding: chunked;a=b\r\n"), 400},
      {with("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding:\r\n chunked\r\n"), 400},
      {with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400},
      {with("Transfer-Encoding: \xa0"
            "chunked\r\n"),
       400},
      {with("Transfer-Encoding\x0b: chunked\r\n"), 400},
      {with("Transfer-Encoding : chunked\r\n"), 400},
      {with("Transfer_Encoding: chunked\r\n"), 400},
      {with("transfer_encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
  });
}

TEST_CASE("content-length is one plain number (D03)") {
  check_rows({
      {with("Content-Length: 0\r\n"), 0},
      {with("Content-Length: 5\r\n"), 0},
      {with("Content-Length: 999999999999999999\r\n"), 0},
      {with("Content-Length: 1000000000000000000\r\n"), 400},
      {with("Content-Length: 9223372036854775807\r\n"), 400},
      {with("Content-Length: 18446744073709551621\r\n"), 400},
      {with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {with("Content-Length: 5, 5\r\n"), 400},
      {with("Content-Length: 5 ,5\r\n"), 400},
      {with("Content-Length: 5 6\r\n"), 400},
      {with("Content-Length: +5\r\n"), 400},
      {with("Content-Length: -5\r\n"), 400},
      {with("Content-Length: 0x5\r\n"), 400},
      {with("Content-Length: 005\r\n"), 400},
      {with("Content-Length: 00\r\n"), 400},
      {with("Content-Length: 1_0\r\n"), 400},
      {with("Content-Length: 5.0\r\n"), 400},
      {with("Content-Length:\r\n"), 400},
      {with("Content-Length: \xb2\r\n"), 400},
      {with("Content_Length: 5\r\n"), 400},
  });
  CHECK(parse(with("Content-Length: 0\r\n")).length == BodyLength{BodyLength::Kind::length, 0});
  CHECK(parse(with("")).length == BodyLength{});
}

TEST_CASE("no body on CONNECT, no chunked body where a method has none (D15, D16)") {
  const std::string host = "\r\nHost: a\r\n";
  check_rows({
      {"CONNECT a:1 HTTP/1.1" + host + "Content-Length: 5\r\n\r\n", 400},
      {"CONNECT a:1 HTTP/1.1" + host + "Content-Length: 0\r\n\r\n", 400},
      {"CONNECT a:1 HTTP/1.1" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
      {"HEAD / HTTP/1.1" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
      {"DELETE / HTTP/1.1" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1" + host + "Content-Length: 5\r\n\r\n", 0},
      {"DELETE / HTTP/1.1" + host + "Content-Length: 5\r\n\r\n", 0},
      {"PATCH / HTTP/1.1" + host + "Transfer-Encoding: chunked\r\n\r\n", 0},
  });
}

TEST_CASE("whether a connection stays open follows from version and Connection") {
  struct Keep {
    Version version;
    std::vector<const char*> connection;
    bool stays;
  };
  const std::vector<Keep> rows = {
      {Version::http11, {}, true},
      {Version::http11, {"close"}, false},
      {Version::http11, {"Upgrade, CLOSE"}, false},
      {Version::http11, {"upgrade", "close"}, false},
      {Version::http11, {"closed"}, true},
      {Version::http10, {}, false},
      {Version::http10, {"Keep-Alive"}, true},
      {Version::http10, {"keep-alive, close"}, false},
      {Version::http2, {}, true},
  };
  for (const Keep& row : rows) {
    FieldList fields;
    for (const char* value : row.connection)
      fields.add("Connection", value);
    CHECK(keeps_alive(row.version, fields) == row.stays);
  }
}
