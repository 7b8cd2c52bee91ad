// Invariant 8: everything has a limit, and one sandbox at its limit does not touch another.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

TEST_CASE("a sandbox at its limit of connections is refused, and its neighbour is not") {
  const Origin origin;
  const auto pins = pinned({{"a.test", origin.port()}});
  SandboxLimits limits;
  limits.connections_max = 4;
  Assembled gate;
  const std::uint16_t greedy = gate.add(policy_of({allow("a.test")}, pins), limits);
  const std::uint16_t modest = gate.add(policy_of({allow("a.test")}, pins, {}, "other"), limits);
  gate.start();
  const std::string request = get("a.test", "http://a.test/");
  std::vector<std::unique_ptr<Peer>> held;
  for (std::size_t i = 0; i < limits.connections_max; ++i) {
    held.push_back(std::make_unique<Peer>(connected(greedy)));
    held.back()->send(request);
    CHECK(status(held.back()->receive_message()) == 200);
  }
  Peer one_more(connected(greedy));
  one_more.send(request);
  CHECK(status(one_more.receive_message()) != 200);
  Peer neighbour(connected(modest));
  neighbour.send(request);
  CHECK(status(neighbour.receive_message()) == 200);
  gate.stop();
  REQUIRE(gate.records("connection").size() >= 1);
  CHECK(gate.records("connection")[0]["reason"] == "limit:connections");
}

TEST_CASE("a head past its limits is refused with its own status") {
  Assembled gate;
  const std::uint16_t port = gate.add(policy_of({allow("a.test")}));
  gate.start();
  const auto ask = [&](const std::string& request) {
    Peer client(connected(port));
    client.send(request);
    return status(client.receive_message());
  };
  std::string many;
  for (int i = 0; i < 101; ++i)
    many += "x-" + std::to_string(i) + ": 1\r\n";
  CHECK(ask(get("a.test", "http://a.test/", many)) == 431);
  CHECK(ask(get("a.test", "http://a.test/", "x: " + std::string(9000, 'a') + "\r\n")) == 431);
  CHECK(ask(get("a.test", "http://a.test/" + std::string(9000, 'a'))) == 414);
  CHECK(ask("GET http://a.test/ HTTP/1.1\r\nx: " + std::string(40000, 'a')) == 431);
}
