#include "policy/secret/secret.h"

#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!Printable<Secret>);
static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_default_constructible_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);

// All of a string's memory, also behind its end.
bool is_wiped(std::string& text) {
  if (!text.empty()) return false;
  const char* bytes = text.data();
  const volatile char* memory = bytes;
  for (std::size_t i = 0; i < text.capacity(); ++i) {
    if (memory[i] != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a secret is 8 bytes to 8 KiB of printable ASCII, without the one newline of its file") {
  struct {
    std::string raw;
    std::string value;
  } const rows[] = {
      {"ghp-secret", "ghp-secret"},     {"ghp-secret\n", "ghp-secret"},
      {"ghp-secret\r\n", "ghp-secret"}, {"a \"%{}~ b", "a \"%{}~ b"},
      {"12345678", "12345678"},         {std::string(8192, 'x') + "\r\n", std::string(8192, 'x')},
  };
  for (const auto& row : rows) {
    CAPTURE(row.raw);
    std::string raw = row.raw;
    auto secret = Secret::from(std::move(raw));
    REQUIRE(secret.has_value());
    CHECK(secret->reveal() == row.value);
    CHECK(is_wiped(raw));  // NOLINT: that it was wiped is the point
  }
}

TEST_CASE("a value that would break a message is refused, and wiped all the same") {
  struct {
    std::string raw;
    SecretFault fault;
  } const rows[] = {
      {"", SecretFault::empty},
      {"\n", SecretFault::empty},
      {"\r\n", SecretFault::empty},
      {"1234567", SecretFault::too_short},
      {"1234567\n", SecretFault::too_short},
      {std::string(8193, 'x'), SecretFault::too_long},
      {std::string(65536, 'x'), SecretFault::too_long},
      {"ghp-secret\n\n", SecretFault::forbidden_byte},
      {"ghp-secret\r", SecretFault::forbidden_byte},
      {"ghp\rsecret\n", SecretFault::forbidden_byte},
      {"x\r\nHost: evil", SecretFault::forbidden_byte},
      {"ghp\0secret"s, SecretFault::forbidden_byte},
      {"ghp-secret\0"s, SecretFault::forbidden_byte},
      {"ghp\tsecret", SecretFault::forbidden_byte},
      {"ghp\x7fsecret", SecretFault::forbidden_byte},
      {"ghps\xc3\xbc"
       "ecret",
       SecretFault::forbidden_byte},
  };
  for (const auto& row : rows) {
    CAPTURE(row.raw);
    std::string raw = row.raw;
    const auto secret = Secret::from(std::move(raw));
    REQUIRE_FALSE(secret.has_value());
    CHECK(secret.error() == row.fault);
    CHECK(is_wiped(raw));  // NOLINT: that it was wiped is the point
    CHECK_FALSE(describe(row.fault).empty());
  }
}

TEST_CASE("moving a secret leaves nothing behind, in either direction") {
  for (const std::size_t size : {8U, 15U, 16U, 200U}) {
    CAPTURE(size);
    auto first = Secret::from(std::string(size, 'a'));
    auto second = Secret::from(std::string(size, 'b'));
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    Secret moved = std::move(*first);
    CHECK(moved.reveal() == std::string(size, 'a'));
    CHECK(first->reveal().empty());
    moved = std::move(*second);
    CHECK(moved.reveal() == std::string(size, 'b'));
    CHECK(second->reveal().empty());
    Secret& same = moved;
    moved = std::move(same);
    CHECK(moved.reveal() == std::string(size, 'b'));
  }
}

TEST_CASE("wiping reaches what a string held when it was longer") {
  for (const std::size_t size : {3U, 15U, 16U, 5000U}) {
    std::string text(size, 's');
    text.resize(1);
    wipe(text);
    CHECK(is_wiped(text));
  }
}
