#include "proxy/wire/dns_message.h"

#include <algorithm>
#include <cstdio>

#include "proxy/wire/octet_reader.h"

namespace egret {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t wire_name_bytes_max = 255;
constexpr std::uint32_t class_internet = 1;
constexpr std::uint32_t type_opt = 41;
constexpr std::uint16_t payload_bytes_min = 512;
constexpr std::uint16_t payload_bytes_cap = 4096;
constexpr std::uint32_t our_payload_bytes = 1232;

constexpr std::uint32_t flag_response = 0x8000;
constexpr std::uint32_t flag_truncated = 0x0200;
constexpr std::uint32_t flag_recursion_desired = 0x0100;
constexpr std::uint32_t flag_recursion_available = 0x0080;
constexpr std::uint32_t opcode_mask = 0x7800;
constexpr std::uint32_t code_mask = 0x000f;

WireFault malformed(const char* what) {
  return {400, Reason::framing_invalid, what};
}

// RFC 1035 5.1: what is not plain becomes \DDD, so that every name has one text.
void append_label(std::string& out, std::string_view label) {
  for (const char c : label) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet > 0x20 && octet < 0x7f && c != '.' && c != '\\' && c != '"') {
      out.push_back(c);
      continue;
    }
    char escaped[5];
    std::snprintf(escaped, sizeof escaped, "\\%03u", static_cast<unsigned>(octet));
    out.append(escaped, 4);
  }
}

// The dotted text of the name, without a trailing dot but for the root itself.
Result<std::string, WireFault> read_name(OctetReader& reader) {
  std::string text;
  std::size_t wire_bytes = 1;
  for (;;) {
    const std::uint32_t length = reader.number(1);
    if (reader.failed()) return malformed("a name that does not end");
    if (length == 0) break;
    if (length > label_bytes_max)
      return malformed("a compression pointer or an unknown label type");
    const std::string_view label = reader.bytes(length);
    wire_bytes += length + 1;
    if (reader.failed() || wire_bytes > wire_name_bytes_max) return malformed("a name too long");
    if (!text.empty()) text.push_back('.');
    append_label(text, label);
  }
  if (text.empty()) text = ".";
  return text;
}

// RFC 6891 6.1.2; its options say nothing to us.
Result<void, WireFault> read_opt(OctetReader& reader, DnsQuery& out) {
  const std::uint32_t root = reader.number(1);
  const std::uint32_t type = reader.number(2);
  const std::uint32_t payload_bytes = reader.number(2);
  reader.number(4);
  reader.counted(2);
  if (reader.failed() || root != 0 || type != type_opt) {
    return malformed("an additional record other than OPT");
  }
  out.edns = true;
  out.payload_bytes_max = static_cast<std::uint16_t>(
      std::clamp<std::uint32_t>(payload_bytes, payload_bytes_min, payload_bytes_cap));
  return {};
}

std::uint32_t type_of(const IpAddress& address) {
  return static_cast<std::uint32_t>(address.is_v4() ? DnsType::a : DnsType::aaaa);
}

void append_answer(std::string& out, const IpAddress& address, std::uint32_t ttl_s) {
  append_number16(out, 0xc000 | header_bytes);  // the name of the question
  append_number16(out, type_of(address));
  append_number16(out, class_internet);
  append_number16(out, ttl_s >> 16);
  append_number16(out, ttl_s & 0xffff);
  const std::size_t octets = address.is_v4() ? 4 : 16;
  append_number16(out, static_cast<std::uint32_t>(octets));
  for (std::size_t i = 0; i < octets; ++i)
    out.push_back(static_cast<char>(address.bytes()[i]));
}

void append_opt(std::string& out) {
  out.push_back('\0');
  append_number16(out, type_opt);
  append_number16(out, our_payload_bytes);
  out.append(6, '\0');  // extended code, version and flags, no options
}

}  // namespace

std::string dns_type_text(std::uint16_t type) {
  switch (type) {
    case 1:
      return "A";
    case 2:
      return "NS";
    case 5:
      return "CNAME";
    case 6:
      return "SOA";
    case 10:
      return "NULL";
    case 12:
      return "PTR";
    case 15:
      return "MX";
    case 16:
      return "TXT";
    case 28:
      return "AAAA";
    case 33:
      return "SRV";
    case 64:
      return "SVCB";
    case 65:
      return "HTTPS";
    case 255:
      return "ANY";
    default:
      return "TYPE" + std::to_string(type);
  }
}

Result<DnsQuery, WireFault> parse_dns_query(std::string_view message) {
  OctetReader reader(message);
  DnsQuery query;
  query.id = static_cast<std::uint16_t>(reader.number(2));
  const std::uint32_t flags = reader.number(2);
  const std::uint32_t questions = reader.number(2);
  const std::uint32_t answers = reader.number(2);
  const std::uint32_t authorities = reader.number(2);
  const std::uint32_t additionals = reader.number(2);
  if (reader.failed()) return malformed("a DNS message shorter than its header");
  if ((flags & (flag_response | opcode_mask | flag_truncated | code_mask)) != 0) {
    return malformed("a DNS message that is no plain query");
  }
  if (questions != 1 || answers != 0 || authorities != 0 || additionals > 1) {
    return malformed("a DNS query is one question");
  }
  query.recursion_desired = (flags & flag_recursion_desired) != 0;
  auto name = read_name(reader);
  if (!name) return name.error();
  query.name = std::move(*name);
  query.type = static_cast<std::uint16_t>(reader.number(2));
  query.dns_class = static_cast<std::uint16_t>(reader.number(2));
  if (reader.failed()) return malformed("a question without type and class");
  query.question.assign(
      message.substr(header_bytes, message.size() - header_bytes - reader.left()));
  if (additionals == 1) {
    if (auto read = read_opt(reader, query); !read) return read.error();
  }
  if (!reader.at_end()) return malformed("octets behind a DNS query");
  if (const auto host = Host::parse(query.name); host && !host->is_address()) query.host = *host;
  return query;
}

std::string make_dns_answer(const DnsQuery& query, DnsCode code,
                            const std::optional<IpAddress>& address, std::uint32_t ttl_s) {
  const bool any = query.type == static_cast<std::uint16_t>(DnsType::any);
  const bool answers = address && (any || query.type == type_of(*address));
  std::string out;
  append_number16(out, query.id);
  append_number16(out, flag_response | flag_recursion_available |
                           (query.recursion_desired ? flag_recursion_desired : 0) |
                           static_cast<std::uint32_t>(code));
  append_number16(out, 1);
  append_number16(out, answers ? 1 : 0);
  append_number16(out, 0);
  append_number16(out, query.edns ? 1 : 0);
  out.append(query.question);
  if (answers) append_answer(out, *address, ttl_s);
  if (query.edns) append_opt(out);
  return out;
}

std::string make_dns_format_error(std::string_view message) {
  OctetReader reader(message);
  const std::uint32_t id = reader.number(2);
  const std::uint32_t flags = reader.failed() || reader.left() < 2 ? 0 : reader.number(2);
  // A response gets no response, or two peers could keep answering each other.
  if (reader.failed() || (flags & flag_response) != 0) return {};
  std::string out;
  append_number16(out, id);
  append_number16(out, flag_response | (flags & (opcode_mask | flag_recursion_desired)) |
                           static_cast<std::uint32_t>(DnsCode::format_error));
  out.append(8, '\0');
  return out;
}

}  // namespace egret
