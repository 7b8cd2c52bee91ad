#include "proxy/wire/socks5.h"

#include "proxy/wire/octet_reader.h"

namespace egret {
namespace {

constexpr std::uint32_t socks_version = 5;
constexpr std::uint32_t password_version = 1;
constexpr char no_authentication = 0;
constexpr char user_and_password = 2;
constexpr std::uint32_t connect_command = 1;
enum AddressType : std::uint32_t { ipv4 = 1, domain = 3, ipv6 = 4 };

std::string greeting_reply(char method) {
  return {'\x05', method};
}
std::string password_reply(bool ok) {
  return {'\x01', ok ? '\x00' : '\x01'};
}

Host address_host(std::string_view octets) {
  const auto octet = [octets](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
  if (octets.size() == 4) {
    return Host::from_address(IpAddress::v4(octet(0), octet(1), octet(2), octet(3)));
  }
  IpAddress::Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = octet(i);
  return Host::from_address(IpAddress::v6(bytes));
}

}  // namespace

Result<Socks5Server::Progress, WireFault> Socks5Server::feed(std::string_view in) {
  Progress progress;
  for (;;) {
    const State before = state_;
    const auto step = step_of(in.substr(progress.consumed));
    if (!step) {
      fault_reply_.insert(0, progress.reply);  // not sent yet
      return step.error();
    }
    progress.consumed += step->consumed;
    progress.reply += step->reply;
    progress.need_check = step->need_check;
    progress.ready = step->ready;
    if (state_ == before || state_ == State::checking || state_ == State::done) return progress;
  }
}

std::string Socks5Server::authenticated(bool ok) {
  state_ = ok ? State::request : State::failed;
  return password_reply(ok);
}

std::string Socks5Server::reply_to_request(SocksReply reply) {
  std::string out{'\x05', static_cast<char>(reply), '\x00', '\x01'};
  out.append(6, '\x00');  // a bound address is nobody's business
  return out;
}

// One message where all of it is there, else nothing consumed.
Result<Socks5Server::Progress, WireFault> Socks5Server::step_of(std::string_view in) {
  switch (state_) {
    case State::greeting:
      return read_greeting(in);
    case State::password:
      return read_password(in);
    case State::request:
      return read_request(in);
    case State::checking:
    case State::done:
      return Progress{};
    case State::failed:
      break;
  }
  return WireFault{400, Reason::framing_invalid, "octets behind a refused SOCKS message"};
}

WireFault Socks5Server::fail(Reason reason, const char* what, std::string reply) {
  state_ = State::failed;
  fault_reply_ = std::move(reply);
  return {400, reason, what};
}

Result<Socks5Server::Progress, WireFault> Socks5Server::read_greeting(std::string_view in) {
  OctetReader reader(in);
  const std::uint32_t version = reader.number(1);
  if (!reader.failed() && version != socks_version) {
    return fail(Reason::protocol_denied, "not SOCKS version 5", "");
  }
  const std::string_view methods = reader.counted(1);
  if (reader.failed()) return Progress{};
  const char wanted = required_ == Auth::none ? no_authentication : user_and_password;
  if (methods.find(wanted) == std::string_view::npos) {
    return fail(Reason::identity_missing, "no acceptable SOCKS authentication method",
                greeting_reply('\xff'));
  }
  state_ = required_ == Auth::none ? State::request : State::password;
  Progress progress;
  progress.consumed = in.size() - reader.left();
  progress.reply = greeting_reply(wanted);
  return progress;
}

Result<Socks5Server::Progress, WireFault> Socks5Server::read_password(std::string_view in) {
  OctetReader reader(in);
  const std::uint32_t version = reader.number(1);
  if (!reader.failed() && version != password_version) {
    return fail(Reason::identity_missing, "not RFC 1929", password_reply(false));
  }
  const std::string_view user = reader.counted(1);
  const std::string_view password = reader.counted(1);
  if (reader.failed()) return Progress{};
  if (user.empty()) {
    return fail(Reason::identity_missing, "an empty SOCKS user name", password_reply(false));
  }
  credentials_ = SocksCredentials{std::string(user), std::string(password)};
  state_ = State::checking;
  Progress progress;
  progress.consumed = in.size() - reader.left();
  progress.need_check = true;
  return progress;
}

Result<Socks5Server::Progress, WireFault> Socks5Server::read_request(std::string_view in) {
  OctetReader reader(in);
  const std::uint32_t version = reader.number(1);
  if (!reader.failed() && version != socks_version) {
    return fail(Reason::framing_invalid, "not SOCKS version 5",
                reply_to_request(SocksReply::general_failure));
  }
  const std::uint32_t command = reader.number(1);
  if (!reader.failed() && command != connect_command) {
    return fail(Reason::protocol_denied, "a SOCKS command other than CONNECT",
                reply_to_request(SocksReply::command_not_supported));
  }
  const std::uint32_t reserved = reader.number(1);
  if (!reader.failed() && reserved != 0) {
    return fail(Reason::framing_invalid, "a SOCKS reserved octet that is not zero",
                reply_to_request(SocksReply::general_failure));
  }
  const std::uint32_t type = reader.number(1);
  if (reader.failed()) return Progress{};
  if (type != ipv4 && type != domain && type != ipv6) {
    return fail(Reason::host_malformed, "an unknown SOCKS address type",
                reply_to_request(SocksReply::address_type_not_supported));
  }
  const std::string_view address =
      type == domain ? reader.counted(1) : reader.bytes(type == ipv4 ? 4 : 16);
  const auto port = static_cast<std::uint16_t>(reader.number(2));
  if (reader.failed()) return Progress{};
  return take_request(type == domain, address, port, in.size() - reader.left());
}

Result<Socks5Server::Progress, WireFault> Socks5Server::take_request(bool is_domain,
                                                                     std::string_view address,
                                                                     std::uint16_t port,
                                                                     std::size_t consumed) {
  const auto host = is_domain ? Host::parse(address) : address_host(address);
  if (!host || port == 0) {
    return fail(Reason::host_malformed, "a malformed SOCKS host or port 0",
                reply_to_request(SocksReply::general_failure));
  }
  request_ = SocksRequest{Authority{*host, port}};
  state_ = State::done;
  Progress progress;
  progress.consumed = consumed;
  progress.ready = true;
  return progress;
}

}  // namespace egret
