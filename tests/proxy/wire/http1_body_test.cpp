#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/wire/http1.h"

using namespace egret;
using namespace std::string_literals;
using Kind = BodyLength::Kind;

namespace {

struct Outcome {
  bool fault = false;
  bool finished = false;
  std::string data;
  std::size_t consumed = 0;
  std::vector<std::string> trailers;
  bool operator==(const Outcome&) const = default;
};

// Gives the pieces one by one, each as often as the decoder takes some of it.
Outcome decode(BodyLength length, const std::vector<std::string_view>& pieces,
               const Http1Limits& limits = {}) {
  Http1BodyDecoder decoder(length, limits);
  Outcome outcome;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && !decoder.finished() && !outcome.fault) {
      const auto step = decoder.next(piece);
      outcome.fault = !step;
      if (!step) break;
      if (step->consumed == 0) FAIL("a decoder that is not finished takes something");
      outcome.data += step->data;
      outcome.consumed += step->consumed;
      piece.remove_prefix(step->consumed);
    }
  }
  outcome.finished = decoder.finished();
  for (std::size_t i = 0; i < decoder.trailers().size(); ++i) {
    outcome.trailers.push_back(std::string(decoder.trailers()[i].name) + "=" +
                               std::string(decoder.trailers()[i].value));
  }
  return outcome;
}

// At once, cut in two at every place, and octet by octet: always the same.
Outcome decode_chunked_at_every_split(const std::string& text) {
  const BodyLength chunked{Kind::chunked, 0};
  const std::string_view view(text);
  const Outcome whole = decode(chunked, {view});
  std::vector<std::string_view> octets;
  for (std::size_t i = 0; i < view.size(); ++i) {
    octets.push_back(view.substr(i, 1));
    Outcome split = decode(chunked, {view.substr(0, i), view.substr(i)});
    split.consumed = whole.fault ? whole.consumed : split.consumed;
    CHECK(split.fault == whole.fault);
    CHECK(split == whole);
  }
  Outcome single = decode(chunked, octets);
  CHECK(single.fault == whole.fault);
  CHECK(single.finished == whole.finished);
  CHECK(single.data == whole.data);
  return whole;
}

}  // namespace

TEST_CASE("a body of known length takes exactly its octets and leaves the next message") {
  const std::string stream = "helloGET /";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const std::string_view view(stream);
    const Outcome outcome = decode({Kind::length, 5}, {view.substr(0, cut), view.substr(cut)});
    CHECK(outcome.finished);
    CHECK(outcome.data == "hello");
    CHECK(outcome.consumed == 5);
  }
  CHECK(Http1BodyDecoder({Kind::length, 0}, {}).finished());
  CHECK(Http1BodyDecoder({}, {}).finished());
  CHECK(Http1BodyDecoder().finished());
}

TEST_CASE("the end of the stream finishes only a body that lasts until then") {
  Http1BodyDecoder until_close({Kind::until_close, 0}, {});
  REQUIRE(until_close.next("abc").has_value());
  CHECK_FALSE(until_close.finished());
  CHECK(until_close.end_of_stream());
  CHECK(until_close.finished());
  Http1BodyDecoder counted({Kind::length, 5}, {});
  REQUIRE(counted.next("abc").has_value());
  CHECK_FALSE(counted.end_of_stream());
  Http1BodyDecoder chunked({Kind::chunked, 0}, {});
  REQUIRE(chunked.next("0\r\n").has_value());
  CHECK_FALSE(chunked.end_of_stream());
  CHECK(Http1BodyDecoder().end_of_stream());
}

TEST_CASE("a chunked body is the same whatever the pieces") {
  struct Row {
    std::string text;
    std::string data;
    std::vector<std::string> trailers;
  };
  const std::vector<Row> rows = {
      {"0\r\n\r\n", "", {}},
      {"000\r\n\r\n", "", {}},
      {"5\r\nhello\r\n0\r\n\r\n", "hello", {}},
      {"00000005\r\nhello\r\n0\r\n\r\n", "hello", {}},
      {"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", {}},
      {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", {}},
      {"5;a\r\nhello\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", "hello", {}},
      {"5;a = \"x y\" ; b\r\nhello\r\n0\r\n\r\n", "hello", {}},
      {"0\r\nGrpc-Status: 0\r\nx: y\r\n\r\n", "", {"grpc-status=0", "x=y"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Outcome outcome = decode_chunked_at_every_split(row.text);
    CHECK_FALSE(outcome.fault);
    CHECK(outcome.finished);
    CHECK(outcome.data == row.data);
    CHECK(outcome.consumed == row.text.size());
    CHECK(outcome.trailers == row.trailers);
  }
}

TEST_CASE("what stands behind a chunked body is the next message") {
  const Outcome outcome = decode({Kind::chunked, 0}, {"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n"});
  CHECK(outcome.finished);
  CHECK(outcome.consumed == 11);
}

TEST_CASE("a chunk that two recipients could read differently is refused (D05, D06, D07)") {
  const std::vector<std::string> rows = {
      "0x5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n",
      "-5\r\nhello\r\n0\r\n\r\n",
      "0_5\r\nhello\r\n0\r\n\r\n",
      " 5\r\nhello\r\n0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n",
      "5 ;a\r\nhello\r\n0\r\n\r\n",
      "5\t\r\nhello\r\n0\r\n\r\n",
      "\r\nhello\r\n0\r\n\r\n",
      ";a\r\nhello\r\n0\r\n\r\n",
      "5zz\r\nhello\r\n0\r\n\r\n",
      "5\nhello\r\n0\r\n\r\n",
      "5\rhello\r\n0\r\n\r\n",
      "5\r\rhello\r\n0\r\n\r\n",
      "ffffffffffffffff\r\n",
      "8000000000000000\r\n",
      "12345678901234567\r\n",
      "000000000000000000000005\r\nhello\r\n0\r\n\r\n",
      "000000000\r\n\r\n",
      "\xb5\r\nhello\r\n",
      "5;\r\nhello\r\n0\r\n\r\n",
      "5; \r\nhello\r\n0\r\n\r\n",
      "5;;a\r\nhello\r\n0\r\n\r\n",
      "5;a=\r\nhello\r\n0\r\n\r\n",
      "5;=b\r\nhello\r\n0\r\n\r\n",
      "5;\nhello\r\n0\r\n\r\n",
      "5;a\nb\r\nhello\r\n0\r\n\r\n",
      "5;a\rb\r\nhello\r\n0\r\n\r\n",
      "5;a=\"x\ny\"\r\nhello\r\n0\r\n\r\n",
      "5;a=\"x\r\ny\"\r\nhello\r\n0\r\n\r\n",
      "5;a=\"x\r\nhello\r\n0\r\n\r\n",
      "5;a=\"x\\\"\r\nhello\r\n0\r\n\r\n",
      "5;a=\"x\"y\r\nhello\r\n0\r\n\r\n",
      "5;a\0b\r\nhello\r\n0\r\n\r\n"s,
      "5;a=\x80\r\nhello\r\n0\r\n\r\n",
      "5\r\nhelloXX0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello\r0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "5\r\nhello!\r\n0\r\n\r\n",
      "5\r\nhello\r\n\r\n0\r\n\r\n",
      "5\r\nhell\r\n0\r\n\r\n",
      "0\r\nXX",
      "0\r\n\n",
      "0\r\n\rX\n",
      "0\n\n",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    // A size of 2^63-1 is legal syntax; the rows must be refused as soon as they are there.
    CHECK((decode_chunked_at_every_split(row).fault || row == "0\r\nXX"));
    CHECK_FALSE(decode({Kind::chunked, 0}, {row}).finished);
  }
  CHECK_FALSE(decode({Kind::chunked, 0}, {"7fffffffffffffff\r\nab"}).fault);
  CHECK(decode({Kind::chunked, 0}, {"0\r\nXX\r\n"}).fault);
}

TEST_CASE("trailers obey the rules of fields and say nothing that belongs in the head (D08)") {
  const std::vector<std::string> lines = {
      "Host: evil.example",
      "Authorization: Bearer x",
      "Content-Length: 5",
      "Transfer-Encoding: chunked",
      "Content-Type: a/b",
      "Content-Encoding: gzip",
      "Cookie: a=b",
      "Set-Cookie: a=b",
      "Connection: close",
      "X-Api-Key: x",
      "Proxy-Authorization: x",
      "Trailer: x",
      "Upgrade: websocket",
      "TE: trailers",
      "Cache-Control: no-store",
      "Location: /",
      "Expect: 100-continue",
      "Content_Length: 5",
      "X-Forwarded-Host: a",
      "If-Match: a",
      "Sec-WebSocket-Accept: x",
      " folded: x",
      "X : y",
      ": y",
      "X: a\nY: b",
      "X: a\rb",
      "X: a\x01",
  };
  for (const std::string& line : lines) {
    CAPTURE(line);
    const Outcome outcome = decode_chunked_at_every_split("0\r\nok: 1\r\n" + line + "\r\n\r\n");
    CHECK(outcome.fault);
    CHECK(outcome.trailers == std::vector<std::string>{"ok=1"});
  }
}

TEST_CASE("extensions and trailers have limits, and nothing is kept beyond them (H04)") {
  const Http1Limits limits;
  const std::string extension = ";" + std::string(limits.chunk_extension_bytes_max - 1, 'a');
  const BodyLength chunked{Kind::chunked, 0};
  CHECK_FALSE(decode(chunked, {"1" + extension + "\r\nx\r\n"}).fault);
  CHECK(decode(chunked, {"1" + extension + "a"}).fault);

  std::string many;
  const std::string chunk = "1" + extension + "\r\nx\r\n";
  const std::size_t chunks = limits.chunk_extensions_bytes_max / limits.chunk_extension_bytes_max;
  for (std::size_t i = 0; i < chunks; ++i)
    many += chunk;
  CHECK_FALSE(decode(chunked, {many}).fault);
  CHECK(decode(chunked, {many + "1;a\r\n"}).fault);

  const std::string long_trailer = "a: " + std::string(limits.trailer_bytes_max, 'x');
  CHECK(decode(chunked, {"0\r\n" + long_trailer}).fault);
  std::string count = "0\r\n";
  for (std::size_t i = 0; i < limits.fields_max; ++i)
    count += "a:b\r\n";
  CHECK_FALSE(decode(chunked, {count}).fault);
  CHECK(decode(chunked, {count + "a:b\r\n"}).fault);
}

TEST_CASE("a decoder that has seen a fault stays at it") {
  Http1BodyDecoder decoder({Kind::chunked, 0}, {});
  REQUIRE_FALSE(decoder.next("zz").has_value());
  CHECK_FALSE(decoder.next("0\r\n\r\n").has_value());
  CHECK_FALSE(decoder.finished());
  CHECK_FALSE(decoder.end_of_stream());
}

TEST_CASE("data leaves as views into the input") {
  Http1BodyDecoder decoder({Kind::chunked, 0}, {});
  const std::string in = "5\r\nhello\r\n0\r\n\r\n";
  const auto step = decoder.next(in);
  REQUIRE(step.has_value());
  CHECK(step->data.data() == in.data() + 3);
  CHECK(step->consumed == 8);
}

TEST_CASE("what our serialiser writes decodes to what was given, cut at random") {
  std::mt19937 random(20261121);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    std::string data, wire;
    for (std::size_t chunks = below(6); chunks-- > 0;) {
      std::string piece;
      for (std::size_t n = 1 + below(300); n-- > 0;)
        piece.push_back(static_cast<char>(random()));
      append_chunk_start(wire, piece.size());
      wire += piece;
      append_chunk_end(wire);
      data += piece;
    }
    FieldList trailers;
    if (below(2) == 0) trailers.add("grpc-status", "0");
    append_last_chunk(wire, trailers);
    std::vector<std::string_view> pieces;
    for (std::string_view rest(wire); !rest.empty();) {
      const std::size_t bytes = std::min(rest.size(), 1 + below(40));
      pieces.push_back(rest.substr(0, bytes));
      rest.remove_prefix(bytes);
    }
    const Outcome outcome = decode({Kind::chunked, 0}, pieces);
    CHECK(outcome.finished);
    CHECK(outcome.data == data);
    CHECK(outcome.consumed == wire.size());
    CHECK(outcome.trailers.size() == trailers.size());
  }
}
