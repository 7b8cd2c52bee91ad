#include "policy/secret/replacer.h"

#include <algorithm>
#include <random>
#include <string>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

std::shared_ptr<const Needles> needles(std::vector<Needles::Entry> entries) {
  return std::make_shared<const Needles>(std::move(entries));
}

// One pass from left to right, the longest needle at each place: the meaning, without any stream.
std::string reference(const std::vector<Needles::Entry>& entries, std::string_view text,
                      std::uint64_t& replaced) {
  std::string out;
  while (!text.empty()) {
    const Needles::Entry* best = nullptr;
    for (const auto& entry : entries) {
      if (entry.find.empty() || !text.starts_with(entry.find)) continue;
      if (best == nullptr || entry.find.size() > best->find.size()) best = &entry;
    }
    if (best != nullptr) {
      out += best->replace;
      text.remove_prefix(best->find.size());
      ++replaced;
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

template <class NextSize>
std::string streamed(const std::shared_ptr<const Needles>& set, std::string_view text,
                     NextSize next_size, std::uint64_t& replaced) {
  StreamReplacer replacer(set);
  std::string out;
  while (!text.empty()) {
    const std::size_t size = std::min<std::size_t>(next_size(), text.size());
    replacer.push(text.substr(0, size), out);
    text.remove_prefix(size);
  }
  replacer.finish(out);
  replaced = replacer.replaced();
  return out;
}

}  // namespace

TEST_CASE("needles are replaced at every split of the text") {
  struct {
    std::vector<Needles::Entry> entries;
    std::string text;
    std::string expected;
  } const rows[] = {
      {{{"secret", "******", 0}}, "a secret, secretsecret secre", "a ******, ************ secre"},
      {{{"secret", "x", 0}}, "sesecretsecresecret", "sexsecrex"},
      {{{"secret", "", 0}}, "secret", ""},
      {{{"aab", "1", 0}}, "aaaabaabaa", "aa11aa"},
      // one needle begins another: the longest counts, and the shorter one where it does not come
      {{{"ab", "1", 0}, {"abcd", "2", 1}}, "ab abcd abc abcabcd", "1 2 1c 1c2"},
      {{{"ab", "1", 0}, {"abcd", "2", 1}}, "abc", "1c"},
      // overlapping: the leftmost counts
      {{{"abc", "1", 0}, {"bcde", "2", 1}}, "abcde bcde", "1de 2"},
      {{{"bc", "1", 0}, {"abcx", "2", 1}}, "abcy abcx", "a1y 2"},
      // inserted text is not looked at again
      {{{"a", "b", 0}, {"b", "a", 1}}, "abba", "baab"},
      {{{"one", "two", 0}, {"two", "one", 1}}, "onetwo", "twoone"},
      {{{"x\0y"s, "z", 0}}, "x\0yx\0"s, "zx\0"s},
      {{{"\xff\xfe", "z", 0}}, "\xff\xff\xfe", "\xffz"},
      {{{"aa", "b", 0}}, "aaaaa", "bba"},
      {{{"ghp_egretAAAA", "real-1", 0}, {"sk-ant-egretBBBB", "real-2", 1}},
       "x sk-ant-egretBBBB ghp_egretAAAA sk-ant-egretAAAA egret ghp_egretAAA",
       "x real-2 real-1 sk-ant-egretAAAA egret ghp_egretAAA"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    std::uint64_t expected_count = 0;
    REQUIRE(reference(row.entries, row.text, expected_count) == row.expected);
    const auto set = needles(row.entries);
    std::uint64_t whole_count = 0;
    CHECK(replace_all(set, row.text, whole_count) == row.expected);
    CHECK(whole_count == expected_count);
    for (std::size_t first = 0; first <= row.text.size(); ++first) {
      for (std::size_t second = first; second <= row.text.size(); ++second) {
        StreamReplacer replacer(set);
        std::string out;
        replacer.push(std::string_view(row.text).substr(0, first), out);
        replacer.push(std::string_view(row.text).substr(first, second - first), out);
        replacer.push(std::string_view(row.text).substr(second), out);
        replacer.finish(out);
        REQUIRE(out == row.expected);
        REQUIRE(replacer.replaced() == expected_count);
      }
    }
    std::uint64_t count = 0;
    CHECK(streamed(
              set, row.text, [] { return 1U; }, count) == row.expected);
    CHECK(count == expected_count);
  }
}

TEST_CASE("any needles, any text, any pieces: the result is that of the whole text") {
  std::mt19937 random(29);
  const auto word = [&](std::size_t longest, unsigned letters) {
    std::string text;
    for (auto size = random() % (longest + 1); size > 0; --size) {
      text += static_cast<char>('a' + random() % letters);
    }
    return text;
  };
  std::uint64_t all = 0;
  for (int round = 0; round < 20000; ++round) {
    const unsigned letters = 1 + static_cast<unsigned>(random() % 3);
    const std::size_t longest = 1 + random() % 9;
    std::vector<Needles::Entry> entries;
    for (auto count = random() % 5; count > 0; --count) {
      // Distinct ends, so that equal needles have one meaning.
      std::string find = word(longest, letters);
      const bool known = std::any_of(entries.begin(), entries.end(),
                                     [&](const auto& entry) { return entry.find == find; });
      if (!known) entries.push_back({std::move(find), word(4, 3), entries.size()});
    }
    const std::string text = word(80, letters);
    std::uint64_t expected_count = 0;
    const std::string expected = reference(entries, text, expected_count);
    const auto set = needles(entries);
    std::uint64_t count = 0;
    CAPTURE(text);
    const unsigned piece = 1 + static_cast<unsigned>(random() % 12);
    REQUIRE(streamed(
                set, text, [&] { return 1 + random() % piece; }, count) == expected);
    REQUIRE(count == expected_count);
    all += count;
  }
  CHECK(all > 10000);
}

TEST_CASE("twenty long needles are found in a long text at any alignment") {
  std::mt19937 random(31);
  std::vector<Needles::Entry> entries;
  for (std::size_t i = 0; i < 20; ++i) {
    std::string find;
    for (auto size = 8 + random() % 300; size > 0; --size) {
      find += static_cast<char>('0' + random() % 70);
    }
    entries.push_back({find, "[" + std::to_string(i) + "]", i});
  }
  std::string text;
  for (int i = 0; i < 400; ++i) {
    for (auto size = random() % 200; size > 0; --size)
      text += static_cast<char>(random());
    const std::string& find = entries[random() % 20].find;
    text += random() % 4 == 0 ? find.substr(0, random() % find.size()) : find;
  }
  std::uint64_t expected_count = 0;
  const std::string expected = reference(entries, text, expected_count);
  CHECK(expected_count > 200);
  const auto set = needles(entries);
  for (const unsigned piece : {1U, 7U, 64U, 1000U, 16384U}) {
    std::uint64_t count = 0;
    CHECK(streamed(
              set, text, [&] { return piece; }, count) == expected);
    CHECK(count == expected_count);
  }
}

TEST_CASE("no more than the beginning of a needle is held back") {
  const auto set = needles({{"secret", "x", 0}});
  StreamReplacer replacer(set);
  std::string out;
  replacer.push("hello", out);
  CHECK(out == "hello");
  replacer.push(" sec", out);
  CHECK(out == "hello ");
  replacer.push("", out);
  CHECK(out == "hello ");
  replacer.push("ond", out);
  CHECK(out == "hello second");
  replacer.push("secre", out);
  CHECK(out == "hello second");
  replacer.push("t", out);
  CHECK(out == "hello secondx");
  replacer.push("s", out);
  replacer.finish(out);
  CHECK(out == "hello secondxs");
  replacer.finish(out);
  CHECK(out == "hello secondxs");

  std::mt19937 random(37);
  StreamReplacer stream(set);
  std::string got;
  std::size_t pushed = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece = std::string("secret").substr(random() % 6, 1 + random() % 6);
    stream.push(piece, got);
    pushed += piece.size();
    REQUIRE(got.size() + 5 * stream.replaced() + 5 >= pushed);
  }
}

TEST_CASE("an empty set passes everything through") {
  for (const auto& set : {std::shared_ptr<const Needles>(), needles({}), needles({{"", "x", 0}})}) {
    std::uint64_t count = 0;
    CHECK(streamed(
              set, "anything", [] { return 3U; }, count) == "anything");
    CHECK(count == 0);
  }
  CHECK(needles({{"", "x", 0}})->empty());
}

TEST_CASE("needles know their lengths, and of equal ones the first counts") {
  CHECK(needles({{"abc", "xyz", 0}, {"de", "uv", 1}})->keeps_length());
  CHECK_FALSE(needles({{"abc", "xyz", 0}, {"de", "u", 1}})->keeps_length());
  CHECK(needles({{"abc", "xyz", 0}, {"defgh", "u", 1}})->longest() == 5);
  CHECK(needles({})->longest() == 0);
  CHECK(needles({})->keeps_length());
  std::uint64_t count = 0;
  CHECK(replace_all(needles({{"ab", "first", 0}, {"ab", "second", 1}}), "ab", count) == "first");
}

TEST_CASE("hits are counted by the entry's id") {
  StreamReplacer replacer(needles({{"aa", "1", 4}, {"bb", "2", 1}, {"cc", "3", 1}}));
  CHECK(replacer.hit_ids().empty());
  std::string out;
  replacer.push("aabbccaa", out);
  replacer.finish(out);
  CHECK(out == "1231");
  CHECK(replacer.hit_ids() == std::vector<std::size_t>{0, 2, 0, 0, 2});
  CHECK(replacer.replaced() == 4);
}

TEST_CASE("a stream can be moved with what it holds back") {
  StreamReplacer from(needles({{"secret", "x", 0}}));
  std::string out;
  from.push("a secr", out);
  StreamReplacer to(std::move(from));
  to.push("et b", out);
  to.finish(out);
  CHECK(out == "a x b");
  CHECK(to.replaced() == 1);
}
