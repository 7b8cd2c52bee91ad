// One thread's world: its io_context and everything that lives and dies on it. A connection is
// accepted, served and closed by one worker (DESIGN part 7).
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/audit/log.h"
#include "proxy/io/asio.h"
#include "proxy/io/deadline.h"
#include "proxy/io/dialer.h"
#include "proxy/io/http1_client.h"
#include "proxy/io/http1_origin.h"
#include "proxy/io/origin_pool.h"
#include "proxy/io/resolver.h"
#include "proxy/io/socket_address.h"
#include "proxy/io/tls.h"
#include "proxy/session/sandbox.h"

namespace egret {

// What all workers share; immutable while they run, or thread-safe.
struct GateShared {
  std::unique_ptr<AuditLog> audit;
  ClientTls client_tls;
  std::shared_future<std::shared_ptr<const OriginTls>> origin_tls;  // loads beside the start-up
  Http1Limits http1;
  Http2Limits http2_clients;
  Http2Limits http2_origins = Http2Limits::for_origins();
  ClientTimeouts client_timeouts;
  OriginTimeouts origin_timeouts;
  DialLimits dial_limits;
  std::shared_ptr<const UpstreamProxy> upstream_proxy;  // origins.via; null: none
  std::vector<SocketAddress> own_listeners;             // a target among them is a loop
  // Finds the sandbox that credentials name; null where there is none or the token is wrong.
  std::function<std::shared_ptr<Sandbox>(std::string_view name, std::string_view token)>
      sandbox_named;
};

// Something that outlives a single decision: a reload, or a detach, asks whether it may go on.
class LongLived {
 public:
  virtual void policy_changed() = 0;

 protected:
  ~LongLived() = default;
};

// An io_context whose waiting handlers, and with them the coroutines, can be dropped while what
// they refer to still stands.
class WorkerContext : public asio::io_context {
 public:
  WorkerContext() : asio::io_context(1) {}
  void drop_handlers() { shutdown(); }
};

class Worker {
 public:
  Worker(GateShared& shared, unsigned index);
  ~Worker();

  asio::io_context& context() { return context_; }
  GateShared& shared() { return shared_; }
  AuditLog& audit() { return *shared_.audit; }
  unsigned lane() const { return index_; }
  Deadlines& deadlines() { return deadlines_; }
  Dialer& dialer() { return dialer_; }
  OriginPool& pool() { return pool_; }

  // Unique within the process and hard to guess: 16 hexadecimal digits.
  std::string new_id();

  // The decision is in the file (true), or it could not be written.
  Task<bool> record(std::string body);
  void record_end(std::string body) { audit().submit_end(index_, std::move(body)); }

  void add(LongLived& one) { long_lived_.push_back(&one); }
  void remove(LongLived& one) { std::erase(long_lived_, &one); }
  // After a reload, on this worker's thread.
  void policy_changed();
  // Asks whatever is long-lived whether it may go on: a namespace was detached.
  void reconsider();
  // Room for one DNS message, never held across a wait.
  std::string& datagram() { return datagram_; }

  // After run() has ended: until the log has answered every decision that was handed to it.
  void settle();

  // Runs until the context is stopped.
  void run();

 private:
  void prune_later();
  GateShared& shared_;
  unsigned index_;
  WorkerContext context_;
  Deadlines deadlines_{context_};
  Resolver resolver_{context_};
  OriginSessions sessions_;
  Dialer dialer_;
  OriginPool pool_;
  asio::steady_timer prune_timer_{context_};
  std::vector<LongLived*> long_lived_;
  std::string datagram_ = std::string(4096, '\0');
  std::atomic<int> decisions_in_flight_{0};
  std::uint64_t id_key_;
  std::uint64_t id_count_ = 0;
};

}  // namespace egret
