// SOCKS5 server side (RFC 1928, RFC 1929): no authentication or user name/password, CONNECT only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/target/target.h"
#include "proxy/wire/message.h"

namespace egret {

struct SocksCredentials {
  std::string user;
  std::string password;
};

struct SocksRequest {
  Authority authority;  // host canonical (NUL and friends refused), port always set
};

enum class SocksReply : std::uint8_t {
  succeeded = 0,
  general_failure = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4,
  connection_refused = 5,
  command_not_supported = 7,
  address_type_not_supported = 8,
};

// A state machine: feed it what arrived, send what it says.
class Socks5Server {
 public:
  enum class Auth { none, password };
  explicit Socks5Server(Auth required) : required_(required) {}

  struct Progress {
    std::size_t consumed = 0;
    std::string reply;  // bytes to send now; may be empty
    bool need_check =
        false;  // credentials() are complete: call authenticated(bool) before the next feed
    bool ready = false;  // request() is complete: decide, then send reply_to_request()
  };
  // Takes whole messages only: keep what was not consumed and give it again with more behind it. No
  // message is longer than 513 bytes. Bytes behind a request stay with the caller. A fault carries
  // bytes to send before closing in fault_reply().
  Result<Progress, WireFault> feed(std::string_view in);
  std::string authenticated(bool ok);  // the RFC 1929 answer
  const std::optional<SocksCredentials>& credentials() const { return credentials_; }
  const std::optional<SocksRequest>& request() const { return request_; }
  const std::string& fault_reply() const { return fault_reply_; }
  static std::string reply_to_request(SocksReply reply);

 private:
  enum class State { greeting, password, checking, request, done, failed };
  Result<Progress, WireFault> step_of(std::string_view in);
  Result<Progress, WireFault> read_greeting(std::string_view in);
  Result<Progress, WireFault> read_password(std::string_view in);
  Result<Progress, WireFault> read_request(std::string_view in);
  Result<Progress, WireFault> take_request(bool is_domain, std::string_view address,
                                           std::uint16_t port, std::size_t consumed);
  WireFault fail(Reason reason, const char* what, std::string reply);

  Auth required_;
  State state_ = State::greeting;
  std::optional<SocksCredentials> credentials_;
  std::optional<SocksRequest> request_;
  std::string fault_reply_;
};

}  // namespace egret
