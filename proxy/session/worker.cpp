#include "proxy/session/worker.h"

#include <bit>
#include <cstdio>
#include <sys/random.h>

#include <boost/asio/async_result.hpp>

namespace egret {
namespace {

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) std::abort();
  return number;
}

// A bijection (splitmix64), so that ids made from a counter do not look like one and never repeat.
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr std::chrono::seconds prune_every{5};

}  // namespace

Worker::Worker(GateShared& shared, unsigned index)
    : shared_(shared),
      index_(index),
      dialer_(context_, deadlines_, resolver_, sessions_, shared.dial_limits,
              {shared.upstream_proxy, shared.own_listeners}),
      pool_(shared.http1, shared.http2_origins, shared.origin_timeouts),
      id_key_(random_number()) {}

// Connections end here, and write their ends, before the pool, the timers and the rest go.
Worker::~Worker() {
  context_.drop_handlers();
}

std::string Worker::new_id() {
  const std::uint64_t number = mix(id_key_ + ++id_count_);
  std::string id(16, '0');
  constexpr std::string_view hex = "0123456789abcdef";
  for (std::size_t i = 0; i < id.size(); ++i)
    id[i] = hex[(number >> (60 - 4 * i)) & 15];
  return id;
}

Task<bool> Worker::record(std::string body) {
  // The log calls back on its own thread; the answer is posted to this one.
  auto start = [this](auto handler, std::string line) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    decisions_in_flight_.fetch_add(1);
    audit().submit(index_, std::move(line), [this, shared](Written written) mutable {
      asio::post(context_,
                 [own = std::move(shared), written] { std::move (*own)(written == Written::yes); });
      decisions_in_flight_.fetch_sub(1);
      decisions_in_flight_.notify_all();
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
      start, asio::use_awaitable, std::move(body));
}

void Worker::policy_changed() {
  pool_.clear();
  sessions_.clear();
  reconsider();
}

void Worker::reconsider() {
  const std::vector<LongLived*> now = long_lived_;
  for (LongLived* one : now)
    one->policy_changed();
}

void Worker::settle() {
  for (int left = decisions_in_flight_.load(); left > 0; left = decisions_in_flight_.load())
    decisions_in_flight_.wait(left);
}

void Worker::prune_later() {
  prune_timer_.expires_after(prune_every);
  prune_timer_.async_wait([this](const error_code& error) {
    if (error) return;
    pool_.prune();
    prune_later();
  });
}

void Worker::run() {
  deadlines_.start();
  prune_later();
  const auto guard = asio::make_work_guard(context_);
  context_.run();
}

}  // namespace egret
