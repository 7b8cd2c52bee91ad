#include "proxy/io/stream.h"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "proxy/io/read_buffer.h"
#include "tests/proxy/io/stream_pair.h"

namespace egret {
namespace {

using Pair = StreamPair;

TEST_CASE("what the peer wrote is read, what was read before comes first, and its end is an end") {
  Pair pair;
  std::array<char, 16> into{};
  pair.stream->unread("he");
  pair.peer_writes("llo");
  ReadResult got = pair.run(pair.stream->read_some(into));
  CHECK(std::string(into.data(), got.bytes) == "he");
  got = pair.run(pair.stream->read_some(into));
  CHECK(std::string(into.data(), got.bytes) == "llo");
  pair.peer_closes();
  got = pair.run(pair.stream->read_some(into));
  CHECK(got.bytes == 0);
  CHECK(got.error == StreamError::end);
  CHECK(pair.stream->bytes_read() == 5);
}

TEST_CASE("a silent peer runs into the limit, and a new limit gives new time") {
  Pair pair;
  std::array<char, 16> into{};
  pair.stream->limit(std::chrono::milliseconds(1));
  ReadResult got = pair.run(pair.stream->read_some(into));
  CHECK(got.error == StreamError::timed_out);
  CHECK(pair.stream->timed_out());
  pair.stream->limit(std::chrono::seconds(60));
  pair.peer_writes("x");
  got = pair.run(pair.stream->read_some(into));
  CHECK(got.bytes == 1);
}

TEST_CASE("an interrupted read ends as closed, and the stream works again once resumed") {
  Pair pair;
  std::array<char, 16> into{};
  asio::post(pair.context, [&] { pair.stream->interrupt(); });
  ReadResult got = pair.run(pair.stream->read_some(into));
  CHECK(got.error == StreamError::closed);
  pair.stream->resume();
  pair.peer_writes("y");
  got = pair.run(pair.stream->read_some(into));
  CHECK(got.bytes == 1);
}

TEST_CASE("a write that the peer does not take waits, and fails once the peer has gone") {
  Pair pair;
  const std::string much(4 * 1024 * 1024, 'm');
  asio::post(pair.context, [&] { pair.peer_closes(); });
  CHECK(pair.run(pair.stream->write(much)) == StreamError::failed);
}

TEST_CASE("an idle connection is quiet until a byte or the end arrives") {
  Pair pair;
  CHECK(pair.stream->quiet());
  pair.peer_writes("z");
  CHECK_FALSE(pair.stream->quiet());
  std::array<char, 4> into{};
  CHECK(pair.run(pair.stream->read_some(into)).bytes == 1);
  CHECK(pair.stream->quiet());
  pair.peer_closes();
  CHECK_FALSE(pair.stream->quiet());
}

TEST_CASE("a read buffer holds at most its bound and gives its memory back when it is empty") {
  Pair pair;
  ReadBuffer buffer;
  std::size_t held = 0;
  while (!buffer.full()) {
    pair.peer_writes(std::string(4096, 'b'));
    REQUIRE(pair.run(buffer.fill(*pair.stream)) == StreamError::none);
    REQUIRE(buffer.view().size() > held);
    held = buffer.view().size();
    REQUIRE(held <= ReadBuffer::bytes_max);
  }
  CHECK(buffer.view() == std::string(ReadBuffer::bytes_max, 'b'));
  CHECK(pair.run(buffer.fill(*pair.stream)) == StreamError::failed);
  buffer.consume(buffer.view().size());
  buffer.release_if_empty();
  CHECK(buffer.empty());
}

}  // namespace
}  // namespace egret
