// Names to addresses by DNS alone, asynchronously (c-ares): no hosts file, no search domains, no
// nsswitch. Answers are kept for at most 60 s (ATTACKS B01, B08-B10). One a worker.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "policy/result.h"
#include "policy/target/address.h"
#include "policy/target/host.h"
#include "proxy/io/asio.h"

namespace egret {

enum class ResolveFault { no_such_name, failed, timed_out };

class Resolver {
 public:
  // An answer with more is none: to cut it would leave unchecked what lies behind.
  static constexpr std::size_t addresses_max = 256;

  explicit Resolver(asio::io_context& context);
  ~Resolver();

  // Every address of both families. Callers that ask for a name being resolved share the one query.
  Task<Result<std::vector<IpAddress>, ResolveFault>> resolve(Host host);

 private:
  class Channel;
  std::shared_ptr<Channel> channel_;
};

}  // namespace egret
