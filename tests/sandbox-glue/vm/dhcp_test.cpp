#include "sandbox-glue/vm/dhcp.h"

#include <arpa/inet.h>
#include <cstring>

#include <doctest/doctest.h>

namespace egret {
namespace {

in_addr address(const char* text) {
  in_addr parsed{};
  REQUIRE(::inet_pton(AF_INET, text, &parsed) == 1);
  return parsed;
}

DhcpLease lease() {
  return {address("10.107.0.2"), address("10.107.0.1"), 30};
}

// A client's message with these options behind the magic cookie.
std::string message(std::string_view options, const char* current = "0.0.0.0") {
  std::string bytes(240, '\0');
  bytes[0] = 1;
  bytes[1] = 1;
  bytes[2] = 6;
  std::memcpy(bytes.data() + 4, "\x12\x34\x56\x78", 4);
  std::memcpy(bytes.data() + 10, "\x80\x00", 2);
  const in_addr mine = address(current);
  std::memcpy(bytes.data() + 12, &mine, sizeof(mine));
  std::memcpy(bytes.data() + 28, "\x52\x54\x00\x65\x67\x72", 6);
  std::memcpy(bytes.data() + 236, "\x63\x82\x53\x63", 4);
  return bytes.append(options);
}

constexpr std::string_view discover = "\x35\x01\x01\xff";
constexpr std::string_view request{"\x35\x01\x03\x32\x04\x0a\x6b\x00\x02\xff", 10};

// The value of one option of an answer; empty where it is not there.
std::string option(const std::string& answer, unsigned char code) {
  for (std::size_t at = 240; at + 1 < answer.size() && answer[at] != '\xff';) {
    const auto length = static_cast<unsigned char>(answer[at + 1]);
    if (static_cast<unsigned char>(answer[at]) == code) return answer.substr(at + 2, length);
    at += 2U + length;
  }
  return {};
}

std::string answered(const std::string& datagram) {
  const auto question = read_dhcp(datagram);
  REQUIRE(question.has_value());
  return answer_dhcp(*question, lease()).value_or("");
}

}  // namespace

TEST_CASE("a discovery is offered the one address, its network, router and resolver for ever") {
  const std::string offer = answered(message(discover));
  CHECK(offer.size() >= 300);
  CHECK(offer[0] == 2);
  CHECK(offer.substr(4, 4) == "\x12\x34\x56\x78");
  CHECK(offer.substr(10, 2) == std::string("\x80\x00", 2));
  CHECK(offer.substr(16, 4) == std::string("\x0a\x6b\x00\x02", 4));
  CHECK(offer.substr(28, 6) == std::string("\x52\x54\x00\x65\x67\x72", 6));
  CHECK(option(offer, 53) == "\x02");
  CHECK(option(offer, 54) == std::string("\x0a\x6b\x00\x01", 4));
  CHECK(option(offer, 1) == "\xff\xff\xff\xfc");
  CHECK(option(offer, 3) == std::string("\x0a\x6b\x00\x01", 4));
  CHECK(option(offer, 6) == std::string("\x0a\x6b\x00\x01", 4));
  CHECK(option(offer, 51) == "\xff\xff\xff\xff");
}

TEST_CASE("a request is acknowledged for the one address and refused for any other") {
  const std::string server_other("\x35\x01\x03\x36\x04\x0a\x00\x00\x01\xff", 10);
  const std::string server_us("\x35\x01\x03\x36\x04\x0a\x6b\x00\x01\x32\x04\x0a\x6b\x00\x02\xff",
                              16);
  const std::string other("\x35\x01\x03\x32\x04\xc0\xa8\x01\x07\xff", 10);
  const std::string renewal("\x35\x01\x03\xff", 4);
  CHECK(option(answered(message(request)), 53) == "\x05");
  CHECK(option(answered(message(server_us)), 53) == "\x05");
  CHECK(option(answered(message(renewal, "10.107.0.2")), 53) == "\x05");
  const std::string refusal = answered(message(other));
  CHECK(option(refusal, 53) == "\x06");
  CHECK(refusal.substr(16, 4) == std::string(4, '\0'));
  CHECK(option(refusal, 3).empty());
  CHECK(option(answered(message(renewal, "192.168.1.7")), 53) == "\x06");
  CHECK_MESSAGE(answered(message(server_other)).empty(), "another server's offer was taken");
}

TEST_CASE("padding, unknown options and what stands behind the end change nothing") {
  const std::string padded("\0\0\x0c\x04name\x35\x01\x01\0\x37\x03\x01\x03\x06\xff\x35\x01\x07",
                           22);
  CHECK(option(answered(message(padded)), 53) == "\x02");
}

TEST_CASE("what is not a well-formed question is not answered") {
  const struct {
    const char* what;
    std::string options;
  } cases[] = {
      {"no options", ""},
      {"no end", {"\x35\x01\x01", 3}},
      {"no kind", "\xff"},
      {"two kinds", {"\x35\x01\x01\x35\x01\x03\xff", 7}},
      {"an empty kind", {"\x35\x00\xff", 3}},
      {"a long kind", {"\x35\x02\x01\x01\xff", 5}},
      {"a release", {"\x35\x01\x07\xff", 4}},
      {"an offer", {"\x35\x01\x02\xff", 4}},
      {"kind zero", {"\x35\x01\x00\xff", 4}},
      {"an option past the end", {"\x35\x01\x01\x32\x04\x0a", 6}},
      {"an option without length", {"\x35\x01\x01\x32", 4}},
      {"a short address", {"\x35\x01\x01\x32\x03\x0a\x6b\x00\xff", 9}},
      {"two addresses", {"\x35\x01\x01\x32\x04\x0a\x6b\x00\x02\x32\x04\x0a\x6b\x00\x02\xff", 16}},
      {"options elsewhere", {"\x35\x01\x01\x34\x01\x03\xff", 7}},
  };
  for (const auto& one : cases) {
    CAPTURE(one.options);
    CHECK_MESSAGE(!read_dhcp(message(one.options)).has_value(), one.what);
  }
  for (const std::size_t at : {0U, 1U, 2U, 236U, 239U}) {
    std::string wrong = message(discover);
    wrong[at] = static_cast<char>(wrong[at] ^ 0x10);
    CAPTURE(at);
    CHECK_FALSE(read_dhcp(wrong).has_value());
  }
  CHECK_FALSE(read_dhcp(message(discover) + std::string(dhcp_message_bytes_max, '\0')).has_value());
}

TEST_CASE("a question cut anywhere is not answered") {
  const std::string whole = message(request);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(read_dhcp(whole.substr(0, length)).has_value());
  }
}

}  // namespace egret
