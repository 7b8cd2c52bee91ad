// The little DNS that a sandbox sees (RFC 1035, RFC 6891): one question in, one answer out. The
// gate answers A and AAAA itself, every other type with an empty answer; nothing is ever forwarded
// (ATTACKS B06, G04).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/target/address.h"
#include "policy/target/host.h"
#include "proxy/wire/message.h"

namespace egret {

enum class DnsType : std::uint16_t { a = 1, aaaa = 28, any = 255, svcb = 64, https = 65 };
std::string dns_type_text(std::uint16_t type);  // `A`, `AAAA`, `HTTPS`, `TYPE1234`

struct DnsQuery {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool edns = false;
  std::uint16_t payload_bytes_max = 512;
  std::uint16_t type = 0;
  std::uint16_t dns_class = 1;
  std::string name;          // dotted text of the question, for the record
  std::optional<Host> host;  // canonical; none where the name is not a well-formed host name
  std::string question;      // the question section as it came, to be echoed
};

// Exactly one question, opcode QUERY, no compression pointer in it; anything else is a fault (the
// caller answers FORMERR or nothing).
Result<DnsQuery, WireFault> parse_dns_query(std::string_view message);

enum class DnsCode : std::uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,
  refused = 5
};
// With an address: one answer of the matching type. Without: empty.
std::string make_dns_answer(const DnsQuery& query, DnsCode code,
                            const std::optional<IpAddress>& address, std::uint32_t ttl_s);
// For a message that was no query: its id, FORMERR; empty where even the id is missing.
std::string make_dns_format_error(std::string_view message);

}  // namespace egret
