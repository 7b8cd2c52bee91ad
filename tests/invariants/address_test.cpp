// Invariant 5: metadata addresses never, and the gate itself is no origin.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

TEST_CASE("a metadata address is refused whatever opens it, and the gate is not its own origin") {
  AddressRules rules;
  rules.pins.push_back({pattern("meta.test"), *IpAddress::parse("169.254.169.254"), 80});
  rules.allowed.push_back(*Cidr::parse("127.0.0.0/8"));
  Assembled gate;
  std::vector<Rule> all = {allow("meta.test"), allow("169.254.169.254"), allow("fd00:ec2::254"),
                           allow("127.0.0.1").ports({1})};
  const std::uint16_t port = gate.add(policy_of(all, rules));
  all.back() = allow("127.0.0.1").ports({port});
  gate.sandbox().replace(policy_of(all, rules));
  gate.start();
  const auto ask = [&](const std::string& host) {
    Peer client(connected(port));
    client.send(get(host, "http://" + host + "/"));
    return client.receive_message();
  };
  for (const char* host : {"meta.test", "169.254.169.254", "[fd00:ec2::254]"}) {
    CAPTURE(host);
    const std::string answer = ask(host);
    CHECK(status(answer) == 403);
    CHECK(answer.find("addr_forbidden") != std::string::npos);
  }
  CHECK(status(ask("127.0.0.1:" + std::to_string(port))) == 508);
}

TEST_CASE("a tunnel to the gate itself is refused, too") {
  AddressRules rules;
  rules.allowed.push_back(*Cidr::parse("127.0.0.0/8"));
  Assembled gate;
  const std::uint16_t port = gate.add(policy_of({}, rules));
  gate.sandbox().replace(policy_of({allow("127.0.0.1").ports({port}).tunnel()}, rules));
  gate.start();
  const std::string itself = "127.0.0.1:" + std::to_string(port);
  Peer client(connected(port));
  client.send("CONNECT " + itself + " HTTP/1.1\r\nhost: " + itself + "\r\n\r\n");
  client.receive_message();
  client.send("GET / HTTP/1.1\r\n\r\n");
  CHECK(client.receive_message().empty());
  gate.stop();
  const auto records = gate.records("connection");
  REQUIRE(records.size() == 1);
  CHECK(records[0]["decision"] == "deny");
  CHECK(records[0]["reason"] == "loop");
}
