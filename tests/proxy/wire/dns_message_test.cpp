#include "proxy/wire/dns_message.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;

namespace {

std::string header(const std::string& counts, const std::string& flags = "\x01\0"s) {
  return "\xab\xcd" + flags + counts;
}
const std::string one_question = "\0\x01\0\0\0\0\0\0"s;
const std::string with_opt = "\0\x01\0\0\0\0\0\x01"s;
const std::string type_a = "\0\x01\0\x01"s;
const std::string a_example = "\1a\7Example\0"s;
const std::string opt = "\0\0\x29\x04\xd0\0\0\0\0\0\0"s;

std::string query(const std::string& name, const std::string& type_and_class = type_a) {
  return header(one_question) + name + type_and_class;
}

}  // namespace

TEST_CASE("a question is read into its parts") {
  const auto read = parse_dns_query(query(a_example));
  REQUIRE(read.has_value());
  CHECK(read->id == 0xabcd);
  CHECK(read->recursion_desired);
  CHECK_FALSE(read->edns);
  CHECK(read->type == 1);
  CHECK(read->dns_class == 1);
  CHECK(read->name == "a.Example");
  REQUIRE(read->host.has_value());
  CHECK(read->host->text() == "a.example");
  CHECK(read->question == a_example + type_a);
}

TEST_CASE("EDNS is understood, its payload size kept within reason") {
  struct Row {
    std::string size;
    int bytes;
  };
  for (const Row& row : {Row{"\x04\xd0", 1232}, Row{"\0\0"s, 512}, Row{"\xff\xff", 4096}}) {
    const std::string text = header(with_opt) + a_example + type_a + "\0\0\x29"s + row.size +
                             "\0\0\0\0\0\x05\0\x0a\0\x01x"s;
    const auto read = parse_dns_query(text);
    REQUIRE(read.has_value());
    CHECK(read->edns);
    CHECK(read->payload_bytes_max == row.bytes);
    CHECK(read->question == a_example + type_a);
  }
}

TEST_CASE("a name that is no host has an unambiguous text and no host") {
  struct Row {
    std::string wire;
    std::string text;
  };
  const std::vector<Row> rows = {
      {"\0"s, "."},
      {"\3a.b\0"s, "a\\046b"},
      {"\3a\\b\0"s, "a\\092b"},
      {"\3a\0b\0"s, "a\\000b"},
      {"\2\xff\n\0"s, "\\255\\010"},
      {"\3a b\0"s, "a\\032b"},
      {"\1*\7example\0"s, "*.example"},
      {"\4-bad\0"s, "-bad"},
      {"\3"
       "127\1"
       "0\1"
       "0\1"
       "1\0"s,
       "127.0.0.1"},
  };
  for (const Row& row : rows) {
    const auto read = parse_dns_query(query(row.wire));
    REQUIRE(read.has_value());
    CHECK(read->name == row.text);
    CHECK_FALSE(read->host.has_value());
  }
}

TEST_CASE("anything but one plain question is refused (B09, G04)") {
  const std::string label63 = "\x3f" + std::string(63, 'a');
  const std::string too_long = label63 + label63 + label63 + label63 + "\0"s;
  const std::vector<std::string> rows = {
      "",
      "\xab\xcd\x01",
      header(one_question),
      header("\0\0\0\0\0\0\0\0"s),
      header("\0\x02\0\0\0\0\0\0"s) + a_example + type_a + a_example + type_a,
      header("\0\x01\0\x01\0\0\0\0"s) + a_example + type_a,
      header("\0\x01\0\0\0\x01\0\0"s) + a_example + type_a,
      header("\0\x01\0\0\0\0\0\x02"s) + a_example + type_a + opt + opt,
      header(one_question, "\x81\0"s) + a_example + type_a,   // a response
      header(one_question, "\x29\0"s) + a_example + type_a,   // an update
      header(one_question, "\x03\0"s) + a_example + type_a,   // truncated
      header(one_question, "\x01\x03") + a_example + type_a,  // a code
      query("\xc0\x0c"),                                      // a pointer to itself
      query("\1a\xc0\x0c"),
      query("\x40" + std::string(64, 'a') + "\0"s),
      query("\x80" + std::string(128, 'a') + "\0"s),
      query(too_long),
      query("\x05"
            "ab\0"s),
      query(a_example, "\0\x01\0"s),
      query(a_example) + "x",
      query(a_example) + opt,
      header(with_opt) + a_example + type_a,
      header(with_opt) + a_example + type_a + opt.substr(0, 10),
      header(with_opt) + a_example + type_a + "\1x"s + opt,
      header(with_opt) + a_example + type_a + "\0\0\xfa\0\xff\0\0\0\0\0\0"s,  // TSIG
      header(with_opt) + a_example + type_a + "\0\0\x29\x04\xd0\0\0\0\0\0\x05"s,
  };
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CAPTURE(row);
    CHECK_FALSE(parse_dns_query(rows[row]).has_value());
  }
}

TEST_CASE("a query cut anywhere is refused") {
  const std::string whole = header(with_opt) + a_example + type_a + opt;
  REQUIRE(parse_dns_query(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(parse_dns_query(std::string_view(whole).substr(0, size)).has_value());
  }
}

TEST_CASE("an answer echoes the question and carries one address of the asked type") {
  const IpAddress v4 = IpAddress::v4(198, 18, 0, 9);
  const IpAddress v6 = *IpAddress::parse("fd00::9");
  const std::string aaaa = "\0\x1c\0\x01"s;
  const std::string any = "\0\xff\0\x01"s;
  const std::string a_record = "\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc6\x12\0\x09"s;
  const std::string aaaa_record =
      "\xc0\x0c\0\x1c\0\x01\0\0\x01\x2c\0\x10\xfd\0"s + std::string(13, '\0') + "\x09";
  struct Row {
    std::string type;
    std::optional<IpAddress> address;
    std::string record;
  };
  const std::vector<Row> rows = {
      {type_a, v4, a_record},    {aaaa, v6, aaaa_record}, {any, v4, a_record},
      {type_a, v6, ""},          {aaaa, v4, ""},          {type_a, std::nullopt, ""},
      {"\0\x10\0\x01"s, v4, ""},
  };
  for (const Row& row : rows) {
    const auto read = parse_dns_query(query(a_example, row.type));
    REQUIRE(read.has_value());
    const std::string count = row.record.empty() ? "\0\0"s : "\0\x01"s;
    CHECK(make_dns_answer(*read, DnsCode::no_error, row.address, 300) ==
          "\xab\xcd\x81\x80\0\x01"s + count + "\0\0\0\0"s + a_example + row.type + row.record);
  }
}

TEST_CASE("an answer has its code, and OPT only where the question had it") {
  auto read = parse_dns_query(header(with_opt, "\0\0"s) + a_example + type_a + opt);
  REQUIRE(read.has_value());
  CHECK(make_dns_answer(*read, DnsCode::refused, std::nullopt, 0) ==
        "\xab\xcd\x80\x85\0\x01\0\0\0\0\0\x01"s + a_example + type_a +
            "\0\0\x29\x04\xd0\0\0\0\0\0\0"s);
}

TEST_CASE("what is no query is told so, but a response never is") {
  CHECK(make_dns_format_error("").empty());
  CHECK(make_dns_format_error("\xab").empty());
  CHECK(make_dns_format_error(header(one_question, "\x81\0"s)).empty());
  CHECK(make_dns_format_error("\xab\xcd") == "\xab\xcd\x80\x01\0\0\0\0\0\0\0\0"s);
  CHECK(make_dns_format_error("\xab\xcd\x29\0"s) == "\xab\xcd\xa9\x01\0\0\0\0\0\0\0\0"s);
}

TEST_CASE("types have their names") {
  CHECK(dns_type_text(1) == "A");
  CHECK(dns_type_text(28) == "AAAA");
  CHECK(dns_type_text(65) == "HTTPS");
  CHECK(dns_type_text(16) == "TXT");
  CHECK(dns_type_text(1234) == "TYPE1234");
}
