// DNS: what is accepted is one question, and every answer carries that question.
#include <string>

#include "proxy/wire/dns_message.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).rest();
  const std::string error = make_dns_format_error(text);
  require(error.empty() || error.size() == 12, "an error is a header or nothing");
  const auto query = parse_dns_query(text);
  if (!query) return 0;
  for (const char c : query->name)
    require(c > 0x20 && c < 0x7f, "the text of a name is printable");
  if (query->host) {
    const auto host = Host::parse(query->name);
    require(host.has_value() && *host == *query->host, "a host is the host of that text");
  }
  const std::string question =
      std::string(text.substr(0, 4)) + std::string("\0\x01\0\0\0\0\0\0", 8);
  const auto again = parse_dns_query(question + query->question);
  require(again.has_value() && again->name == query->name && again->type == query->type &&
              again->question == query->question,
          "a question reads back as itself");
  for (const char* address : {"198.18.0.1", "fd00::1"}) {
    const std::string answer =
        make_dns_answer(*query, DnsCode::no_error, IpAddress::parse(address), 60);
    require(answer.size() <= query->payload_bytes_max, "an answer fits");
    require(answer.substr(12).starts_with(query->question), "an answer echoes its question");
    require(make_dns_format_error(answer).empty(), "an answer is never answered");
  }
  return 0;
}
