#include "sandbox-glue/vm/dhcp.h"

#include <algorithm>
#include <cstring>

namespace egret {
namespace {

constexpr std::size_t fixed_bytes = 240;  // up to the options, magic cookie included
constexpr std::size_t answer_bytes_min = 300;
constexpr std::string_view magic_cookie = "\x63\x82\x53\x63";

constexpr std::uint8_t pad = 0;
constexpr std::uint8_t subnet_mask = 1;
constexpr std::uint8_t router = 3;
constexpr std::uint8_t name_server = 6;
constexpr std::uint8_t requested_address = 50;
constexpr std::uint8_t lease_time = 51;
constexpr std::uint8_t overload = 52;
constexpr std::uint8_t message_kind = 53;
constexpr std::uint8_t server_identifier = 54;
constexpr std::uint8_t end = 255;

std::uint8_t octet(std::string_view in, std::size_t at) {
  return static_cast<std::uint8_t>(in[at]);
}

in_addr address_at(std::string_view in, std::size_t at) {
  in_addr address{};
  std::memcpy(&address, in.data() + at, sizeof(address));
  return address;
}

bool same(in_addr a, in_addr b) {
  return a.s_addr == b.s_addr;
}

// The value of an option that may be there once and has `size` octets. False where it is wrong.
bool take(std::optional<std::string_view>& into, std::string_view value, std::size_t size) {
  if (into || value.size() != size) return false;
  into = value;
  return true;
}

struct Options {
  std::optional<std::string_view> kind;
  std::optional<std::string_view> requested;
  std::optional<std::string_view> server;
};

std::optional<Options> read_options(std::string_view rest) {
  Options options;
  while (!rest.empty()) {
    const std::uint8_t code = octet(rest, 0);
    rest.remove_prefix(1);
    if (code == pad) continue;
    if (code == end) return options;
    if (rest.empty() || rest.size() - 1 < octet(rest, 0)) return {};
    const std::string_view value = rest.substr(1, octet(rest, 0));
    rest.remove_prefix(1 + value.size());
    bool fine = code != overload;  // options hidden in other fields: nobody needs them here
    if (code == message_kind) fine = take(options.kind, value, 1);
    if (code == requested_address) fine = take(options.requested, value, sizeof(in_addr));
    if (code == server_identifier) fine = take(options.server, value, sizeof(in_addr));
    if (!fine) return {};
  }
  return {};  // no end
}

void put_option(std::string& out, std::uint8_t code, std::string_view value) {
  out.push_back(static_cast<char>(code));
  out.push_back(static_cast<char>(value.size()));
  out.append(value);
}

void put_address(std::string& out, std::uint8_t code, in_addr address) {
  std::array<char, sizeof(address)> octets{};
  std::memcpy(octets.data(), &address, sizeof(address));
  put_option(out, code, {octets.data(), octets.size()});
}

std::string head_of(const DhcpQuestion& question, in_addr yours, in_addr server) {
  std::string head(fixed_bytes, '\0');
  head[0] = 2;  // a reply
  head[1] = 1;  // Ethernet
  head[2] = static_cast<char>(question.card.size());
  std::memcpy(head.data() + 4, &question.transaction, sizeof(question.transaction));
  std::memcpy(head.data() + 10, &question.flags, sizeof(question.flags));
  std::memcpy(head.data() + 16, &yours, sizeof(yours));
  std::memcpy(head.data() + 20, &server, sizeof(server));
  std::memcpy(head.data() + 28, question.card.data(), question.card.size());
  std::memcpy(head.data() + fixed_bytes - magic_cookie.size(), magic_cookie.data(),
              magic_cookie.size());
  return head;
}

DhcpKind kind_of_answer(const DhcpQuestion& question, const DhcpLease& lease) {
  if (question.kind == DhcpKind::Discover) return DhcpKind::Offer;
  const in_addr wanted = question.requested.value_or(question.current);
  return same(wanted, lease.address) ? DhcpKind::Ack : DhcpKind::Nak;
}

}  // namespace

std::optional<DhcpQuestion> read_dhcp(std::string_view datagram) {
  DhcpQuestion question;
  if (datagram.size() < fixed_bytes || datagram.size() > dhcp_message_bytes_max) return {};
  const bool from_ethernet_client = octet(datagram, 0) == 1 && octet(datagram, 1) == 1 &&
                                    octet(datagram, 2) == question.card.size();
  if (!from_ethernet_client) return {};
  if (datagram.substr(fixed_bytes - magic_cookie.size(), magic_cookie.size()) != magic_cookie) {
    return {};
  }
  const auto options = read_options(datagram.substr(fixed_bytes));
  if (!options || !options->kind) return {};
  question.kind = static_cast<DhcpKind>(octet(*options->kind, 0));
  if (question.kind != DhcpKind::Discover && question.kind != DhcpKind::Request) return {};
  std::memcpy(&question.transaction, datagram.data() + 4, sizeof(question.transaction));
  std::memcpy(&question.flags, datagram.data() + 10, sizeof(question.flags));
  std::memcpy(question.card.data(), datagram.data() + 28, question.card.size());
  question.current = address_at(datagram, 12);
  if (options->requested) question.requested = address_at(*options->requested, 0);
  if (options->server) question.server = address_at(*options->server, 0);
  return question;
}

std::optional<std::string> answer_dhcp(const DhcpQuestion& question, const DhcpLease& lease) {
  if (question.server && !same(*question.server, lease.gateway)) return {};
  const DhcpKind kind = kind_of_answer(question, lease);
  const bool refused = kind == DhcpKind::Nak;
  std::string answer =
      head_of(question, refused ? in_addr{} : lease.address, refused ? in_addr{} : lease.gateway);
  const char kind_octet = static_cast<char>(kind);
  put_option(answer, message_kind, {&kind_octet, 1});
  put_address(answer, server_identifier, lease.gateway);
  if (!refused) {
    put_option(answer, lease_time, "\xff\xff\xff\xff");  // for ever
    put_address(answer, subnet_mask, {htonl(~0U << (32U - lease.prefix))});
    put_address(answer, router, lease.gateway);
    put_address(answer, name_server, lease.gateway);
  }
  answer.push_back(static_cast<char>(end));
  answer.resize(std::max(answer.size(), answer_bytes_min), '\0');
  return answer;
}

}  // namespace egret
