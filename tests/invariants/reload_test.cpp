// Invariant 10: a reload holds from then on, also for what is under way.
#include <condition_variable>

#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

namespace {

// Holds back an origin's answer until it is let go, and says when a request has arrived.
class Latch {
 public:
  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
    arrived_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(10), [this] { return open_; });
  }
  bool wait_for_arrival() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [this] { return arrived_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false;
  bool open_ = false;
};

}  // namespace

TEST_CASE("the next request on an open connection is decided by the new policy") {
  const Origin origin;
  const auto pins = pinned({{"a.test", origin.port()}});
  Assembled gate;
  const std::uint16_t port = gate.add(policy_of({allow("a.test")}, pins));
  gate.start();
  Peer client(connected(port));
  client.send(get("a.test", "http://a.test/"));
  CHECK(status(client.receive_message()) == 200);
  gate.replace(policy_of({}, pins));
  client.send(get("a.test", "http://a.test/"));
  CHECK(status(client.receive_message()) == 403);
  gate.replace(policy_of({allow("a.test")}, pins));
  CHECK(origin.requests().size() == 1);
}

TEST_CASE("an exchange that is no longer allowed is closed, and not sent again") {
  // On a connection from the pool, where a closed one is otherwise a reason to try again.
  Latch latch;
  const Origin origin([&](const std::string& request) {
    if (request.find("/slow") != std::string::npos) latch.arrive_and_wait();
    return ok();
  });
  const auto pins = pinned({{"a.test", origin.port()}});
  Assembled gate;
  const std::uint16_t port = gate.add(policy_of({allow("a.test")}, pins));
  gate.start();
  Peer client(connected(port));
  client.send(get("a.test", "http://a.test/"));
  CHECK(status(client.receive_message()) == 200);
  client.send(get("a.test", "http://a.test/slow"));
  REQUIRE(latch.wait_for_arrival());
  gate.replace(policy_of({}, pins));
  CHECK(status(client.receive_message()) != 200);
  latch.open();
  gate.stop();
  CHECK(origin.connections() == 1);
  CHECK(origin.requests().size() == 2);
  bool said = false;
  for (const auto& record : gate.records("response"))
    said = said || record.value("error", "") == "policy_changed";
  CHECK(said);
}

TEST_CASE("an exchange that is still allowed goes on") {
  Latch latch;
  const Origin origin([&](const std::string&) {
    latch.arrive_and_wait();
    return ok();
  });
  const auto pins = pinned({{"a.test", origin.port()}});
  Assembled gate;
  const std::uint16_t port = gate.add(policy_of({allow("a.test")}, pins));
  gate.start();
  Peer client(connected(port));
  client.send(get("a.test", "http://a.test/"));
  REQUIRE(latch.wait_for_arrival());
  gate.replace(policy_of({allow("a.test"), deny("b.test")}, pins));
  latch.open();
  CHECK(status(client.receive_message()) == 200);
}
