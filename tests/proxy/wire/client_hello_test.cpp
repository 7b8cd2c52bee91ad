#include "proxy/wire/client_hello.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

std::string number(std::size_t value, int octets) {
  std::string out;
  for (int i = octets - 1; i >= 0; --i)
    out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return out;
}
std::string counted(const std::string& text, int octets) {
  return number(text.size(), octets) + text;
}

std::string extension(std::size_t type, const std::string& data) {
  return number(type, 2) + counted(data, 2);
}
std::string name_entry(const std::string& name, int type = 0) {
  return number(static_cast<std::size_t>(type), 1) + counted(name, 2);
}
std::string sni(const std::string& entries) {
  return extension(0, counted(entries, 2));
}
std::string alpn(const std::string& list) {
  return extension(16, counted(list, 2));
}

std::string body(const std::string& extensions, const std::string& session = "",
                 const std::string& ciphers = "\x13\x01", const std::string& compressions = "\0"s) {
  return "\x03\x03" + std::string(32, 'r') + counted(session, 1) + counted(ciphers, 2) +
         counted(compressions, 1) + counted(extensions, 2);
}
std::string message(const std::string& text, char type = 1) {
  return type + counted(text, 3);
}

std::string records(const std::string& handshake, std::size_t bytes_each = 16384) {
  std::string out;
  for (std::size_t at = 0; at < handshake.size(); at += bytes_each) {
    out += "\x16\x03\x01" + counted(handshake.substr(at, bytes_each), 2);
  }
  return out;
}
std::string hello(const std::string& extensions) {
  return records(message(body(extensions)));
}

const std::string usual = extension(0x0a0a, "") + sni(name_entry("a.example")) +
                          extension(10, "\0\x02\0\x1d"s) + alpn("\x02h2\x08http/1.1") +
                          extension(0xfe0d, std::string(200, 'e'));

void check_usual(const std::string& bytes) {
  ClientHello out;
  const auto read = read_client_hello(bytes, out);
  REQUIRE(read.has_value());
  REQUIRE((*read == HelloState::complete));
  CHECK(out.has_server_name);
  CHECK(out.server_name == "a.example");
  CHECK(out.alpn == std::vector<std::string>{"h2", "http/1.1"});
  CHECK(out.has_ech);
}

}  // namespace

TEST_CASE("name, ALPN and ECH are read, in records of any size, and not before all is there") {
  const std::string handshake = message(body(usual));
  for (const std::size_t bytes_each : {std::size_t{1}, std::size_t{2}, std::size_t{3},
                                       std::size_t{5}, std::size_t{64}, std::size_t{16384}}) {
    CAPTURE(bytes_each);
    const std::string stream = records(handshake, bytes_each);
    check_usual(stream);
    for (std::size_t size = 0; size < stream.size(); ++size) {
      CAPTURE(size);
      ClientHello out;
      const auto read = read_client_hello(std::string_view(stream).substr(0, size), out);
      REQUIRE(read.has_value());
      CHECK((*read == HelloState::incomplete));
    }
  }
}

TEST_CASE("a hello as large as a post-quantum one, and early data behind it") {
  const std::string large = usual + extension(51, std::string(40'000, 'k'));
  check_usual(hello(large));
  check_usual(hello(usual) + "\x17\x03\x03\x00\x02xx"s);
}

TEST_CASE("a hello without extensions or without a name is complete and has none") {
  const std::string none = "\x03\x01" + std::string(32, 'r') + "\0\0\x02\x13\x01\x01\0"s;
  for (const std::string& bytes : {records(message(none)), hello("")}) {
    ClientHello out;
    out.server_name = "left from before";
    const auto read = read_client_hello(bytes, out);
    REQUIRE(read.has_value());
    CHECK((*read == HelloState::complete));
    CHECK_FALSE(out.has_server_name);
    CHECK(out.server_name.empty());
  }
}

TEST_CASE("the raw bytes of a name are handed on; judging them is for Host") {
  for (const std::string& name :
       {"evil\0.a.example"s, "A.EXAMPLE."s, "192.0.2.1"s, std::string(300, 'a'), "\xff"s}) {
    ClientHello out;
    REQUIRE(read_client_hello(hello(sni(name_entry(name))), out).has_value());
    CHECK(out.server_name == name);
  }
}

TEST_CASE("what is no TLS is told from TLS gone wrong") {
  for (const std::string& bytes :
       {"GET / HTTP/1.1\r\n"s, "\x05\x01\x00"s, "\x80\x2e\x01\x03\x01"s,
        "\x15\x03\x01\0\x02\x01\0"s, "\0"s, "\x16\x02\x01"s, "\x16\x47\x45"s}) {
    ClientHello out;
    const auto read = read_client_hello(bytes, out);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().reason == Reason::not_tls);
  }
}

TEST_CASE("a malformed hello is refused as a failed handshake (C11)") {
  const std::string good = message(body(usual));
  const std::vector<std::string> rows = {
      "\x16\x03\x01\0\0"s,                                   // an empty record
      "\x16\x03\x01\x40\x01"s,                               // a record over 16 KiB
      records(good.substr(0, 20)) + "\x17\x03\x01\0\x01x"s,  // another record inside
      records(good.substr(0, 20)) + "\x16\x02\x01\0\x01x"s,  // another version inside
      records(message(body(usual), 2)),                      // a ServerHello
      "\x16\x03\x01\0\x04\x01\xff\xff\xff"s,                 // 16 MiB
      "\x16\x03\x01\0\x04\x01\0\0\0"s,                       // nothing
      records(good + "x"),                                   // more than a hello
      records(good + good),
      records(message("\x02\x03" + body(usual).substr(2))),  // SSL 2
      records(message(body(usual, std::string(33, 's')))),   // a long session id
      records(message(body(usual, "", ""))),                 // no ciphers
      records(message(body(usual, "", "\x13"))),             // half a cipher
      records(message(body(usual, "", "\x13\x01", ""))),     // no compression
      records(message(body(usual) + "x")),                   // octets behind
      records(message(body(usual).substr(0, 40))),
      hello(number(0, 2)),                            // half an extension
      hello(extension(10, "x") + "\0\x0a\xff\xff"s),  // one longer than the rest
      hello(sni("")),                                 // no name
      hello(extension(0, "")),
      hello(sni(name_entry(""))),
      hello(sni(name_entry("a.example", 1))),  // no host_name
      hello(sni(name_entry("a.example") + name_entry("b.example"))),
      hello(sni(name_entry("a.example") + name_entry("b.example", 1))),
      hello(sni(name_entry("a.example")) + sni(name_entry("a.example"))),
      hello(sni(name_entry("a.example") + "x")),
      hello(extension(0, counted(name_entry("a.example"), 2) + "x")),
      hello(alpn("")),
      hello(alpn("\0"s)),
      hello(alpn("\x05h2")),
      hello(alpn("\x02h2") + alpn("\x02h2")),
      hello(extension(16, counted("\x02h2", 2) + "x")),
  };
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CAPTURE(row);
    ClientHello out;
    const auto read = read_client_hello(rows[row], out);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().reason == Reason::tls_handshake_failed);
  }
}

TEST_CASE("a hello has an end, in bytes and in records") {
  ClientHello out;
  const std::string endless = "\x01\0\xff\xf0"s + std::string(70'000, 'x');
  CHECK_FALSE(read_client_hello(records(endless).substr(0, 65'536), out).has_value());
  CHECK(read_client_hello(records(endless).substr(0, 65'000), out).has_value());
  const std::string large = message(body(usual + extension(51, std::string(3'000, 'k'))));
  CHECK_FALSE(read_client_hello(records(large, 1), out).has_value());
  CHECK(read_client_hello(records(large, 2), out).has_value());
}
