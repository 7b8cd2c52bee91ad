// Hosts, authorities, addresses, ranges and patterns: what is accepted is canonical, and reading
// its text again gives the same (ATTACKS A01, A09, A10).
#include <cstring>
#include <string>

#include "policy/decide/host_pattern.h"
#include "policy/target/address_class.h"
#include "policy/target/target.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

bool is_host_octet(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

void check_host(const Host& host) {
  const std::string& text = host.text();
  require(!text.empty() && text.size() <= 253, "a host is not empty and not too long");
  require(std::strlen(text.c_str()) == text.size(), "a host holds no NUL");
  require(text.front() != '.' && text.back() != '.', "a host neither begins nor ends with a dot");
  require(text.find("..") == std::string::npos, "a host has no empty label");
  const bool v6 = host.is_address() && !host.address()->is_v4();
  require(v6 || std::all_of(text.begin(), text.end(), is_host_octet), "a host is LDH and _");
  const auto again = Host::parse(host.authority_text());
  require(again.has_value() && *again == host, "a host reads back as itself");
  require(again->is_address() == host.is_address(), "an address stays an address");
}

void check_authority(std::string_view text) {
  const auto authority = parse_authority(text);
  if (!authority) return;
  require(text.find_first_of("@/\\%# ,") == std::string_view::npos, "no octet of another part");
  check_host(authority->host);
  const Target target{Scheme::https, authority->host, authority->port.value_or(443)};
  require(target.port != 0, "a port is not 0");
  const auto again = parse_authority(target.authority());
  require(again.has_value() && again->host == target.host, "an authority reads back as itself");
  require(again->port.value_or(443) == target.port, "its port too");
}

void check_addresses(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) {
    require(IpAddress::parse(address->text()) == address, "an address reads back as itself");
    require(!name(classify(*address)).empty(), "every address has a class");
    require(classify(*address) == classify(unwrapped(*address)),
            "an embedded IPv4 decides the class");
  }
  if (const auto range = Cidr::parse(text)) {
    require(Cidr::parse(range->text()) == range, "a range reads back as itself");
    require(range->contains(range->base()), "a range holds its base");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).rest();
  if (const auto host = Host::parse(text)) check_host(*host);
  check_authority(text);
  check_addresses(text);
  if (const auto pattern = HostPattern::parse(text, Wildcards::any)) {
    const auto again = HostPattern::parse(pattern->text(), Wildcards::any);
    require(again.has_value() && *again == *pattern, "a pattern reads back as itself");
    const auto host = Host::parse(text);
    require(!host || pattern->matches(*host), "a pattern that is a host matches that host");
  }
  return 0;
}
