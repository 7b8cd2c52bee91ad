// Compressed messages, step by step, with and without a window kept between them.
#include "proxy/wire/message_deflate.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

// The whole message, given in pieces of this size; `fault` where it is none.
std::string inflated(MessageInflater& inflater, std::string_view message, std::size_t piece_bytes) {
  std::string out;
  bool ended = false;
  while (!ended) {
    const std::string_view piece = message.substr(0, piece_bytes);
    message.remove_prefix(piece.size());
    ended = piece.empty();
    if (ended) {
      inflater.give_end();
    } else {
      inflater.give(piece);
    }
    while (inflater.has_more()) {
      const std::size_t before = out.size();
      if (!inflater.take(out)) return "fault";
      if (out.size() - before > MessageInflater::step_bytes_max) return "too much at once";
    }
  }
  return out;
}

std::string deflated(MessageDeflater& deflater, std::string_view text, std::size_t flush_every) {
  std::string out;
  while (!text.empty()) {
    deflater.push(text.substr(0, flush_every), out);
    text.remove_prefix(std::min(flush_every, text.size()));
    if (!text.empty()) deflater.flush(out);
  }
  deflater.finish(out);
  return out;
}

const std::vector<std::string> messages = {
    "Hello",
    "Hello",
    "",
    "a",
    std::string(70'000, 'z') + "end",
    "Hello again, and Hello",
    [] {
      std::string noise;
      for (unsigned i = 0, x = 1; i < 50'000; ++i, x = x * 1664525 + 1013904223)
        noise += static_cast<char>(x >> 24);
      return noise;
    }(),
    "",
};

}  // namespace

TEST_CASE("messages come out as they went in, whatever the window, its life and the pieces") {
  for (const ContextTakeover takeover : {ContextTakeover::yes, ContextTakeover::no}) {
    for (unsigned bits = 8; bits <= 15; ++bits) {
      CAPTURE(bits);
      for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 20}) {
        MessageDeflater deflater(bits, takeover);
        MessageInflater inflater(bits, takeover);
        for (const std::string& message : messages)
          CHECK(inflated(inflater, deflated(deflater, message, piece * 7), piece) == message);
      }
    }
  }
}

TEST_CASE("the examples of RFC 7692 7.2.3 are read") {
  MessageInflater inflater(15, ContextTakeover::yes);
  const std::string hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;
  for (const std::size_t piece : {1, 100}) {
    CHECK(inflated(inflater, hello, piece) == "Hello");
    CHECK(inflated(inflater, "\xf2\x00\x11\x00\x00"s, piece) == "Hello");  // from the window
    CHECK(inflated(inflater, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s, piece) == "Hello");
    CHECK(inflated(inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, piece) == "Hello");
    CHECK(inflated(inflater, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s, piece) ==
          "Hello");
    CHECK(inflated(inflater, "\x00"s, piece).empty());
  }
  // Some leave out the octet that stands for nothing.
  CHECK(inflated(inflater, "", 1).empty());
  CHECK(inflated(inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00"s, 1) == "Hello");
}

TEST_CASE("without takeover a message cannot refer to the one before") {
  MessageInflater inflater(15, ContextTakeover::no);
  CHECK(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"s, 100) == "Hello");
  CHECK(inflated(inflater, "\xf2\x00\x11\x00\x00"s, 100) == "fault");
}

TEST_CASE("what is no compressed message is a fault") {
  const std::vector<std::string> rows = {
      "\x07"s,                  // a reserved kind of block
      "\xf2\x48\xcd\xc9\xc9"s,  // cut within a block
      "\xf2\x48\xcd\xc9"s,
      "\x00\x06\x00\xf9\xff\x48"s,  // a stored block that goes on
      "\x00\x05\x00\x00\x00"s,      // its length and the complement
      "\xf2\x00\x11\x00\x00"s,      // from a window that is empty
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    for (const std::size_t piece : {1, 100}) {
      MessageInflater inflater(15, ContextTakeover::yes);
      CHECK(inflated(inflater, rows[i], piece) == "fault");
    }
  }
}

TEST_CASE("a bomb is read step by step and stays small when it is written again") {
  MessageDeflater bomb_maker(15, ContextTakeover::yes);
  std::string bomb;
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 64; ++i)
    bomb_maker.push(zeros, bomb);
  bomb_maker.finish(bomb);
  MessageInflater inflater(15, ContextTakeover::yes);
  MessageDeflater deflater(15, ContextTakeover::yes);
  std::size_t total = 0;
  std::string again;
  inflater.give(bomb);
  while (inflater.has_more()) {
    std::string step;
    REQUIRE(inflater.take(step).has_value());
    REQUIRE(step.size() <= MessageInflater::step_bytes_max);
    deflater.push(step, again);
    total += step.size();
  }
  inflater.give_end();
  while (inflater.has_more()) {
    std::string step;
    REQUIRE(inflater.take(step).has_value());
    total += step.size();
  }
  CHECK(total == std::size_t{64} << 20);
  CHECK(again.size() < 2 * bomb.size());
}
