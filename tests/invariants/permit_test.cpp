// Invariant 1: nothing is resolved or dialled without a Permit.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

// Neither key can be made by hand.
static_assert(!std::is_default_constructible_v<Permit>);
static_assert(!std::is_constructible_v<Permit, Target, Rule>);
static_assert(!std::is_constructible_v<CheckedAddress, IpAddress, std::uint16_t>);

TEST_CASE("a denied request opens no connection and says why") {
  const Origin origin;
  const auto pins = pinned({{"a.test", origin.port()}, {"no.test", origin.port()}});
  Assembled gate;
  const std::uint16_t closed = gate.add(policy_of({}, pins));
  const std::uint16_t open = gate.add(policy_of({allow("a.test"), deny("no.test")}, pins));
  gate.start();
  const struct {
    std::uint16_t port;
    const char* host;
    int expected;
  } rows[] = {{closed, "a.test", 403},
              {open, "no.test", 403},
              {open, "other.test", 403},
              {open, "a.test", 200}};
  for (const auto& row : rows) {
    CAPTURE(row.host);
    Peer client(connected(row.port));
    client.send(get(row.host, std::string("http://") + row.host + "/"));
    CHECK(status(client.receive_message()) == row.expected);
  }
  // In a tunnel to a refused name too, in words.
  TlsClient client(open, "no.test");
  CHECK(client.alert == 0);
  CHECK(status(client.ask(get("no.test", "/"))) == 403);
  CHECK(origin.connections() == 1);
  CHECK(origin.requests().size() == 1);
}

TEST_CASE("each request of a connection is decided by itself") {
  const Origin origin;
  Assembled gate;
  const std::uint16_t port = gate.add(
      policy_of({allow("a.test")}, pinned({{"*.test", origin.port()}, {"a.test", origin.port()}})));
  gate.start();
  Peer client(connected(port));
  client.send(get("a.test", "http://a.test/1") + get("evil.test", "http://evil.test/2") +
              get("a.test", "http://a.test/3"));
  CHECK(status(client.receive_message()) == 200);
  CHECK(status(client.receive_message()) == 403);
  for (const std::string& request : origin.requests())
    CHECK(request.find("evil") == std::string::npos);
}
