// Invariant 6: ambiguous requests are refused with 400 and a close, never repaired.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

TEST_CASE(
    "a request that two parsers could read differently reaches no origin and ends the connection") {
  const Origin origin;
  Assembled gate;
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test")}, pinned({{"a.test", origin.port()}})));
  gate.start();
  const std::string smuggled = get("a.test", "http://a.test/smuggled");
  const std::string start = "POST http://a.test/ HTTP/1.1\r\nhost: a.test\r\n";
  const std::string rows[] = {
      start + "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      start + "content-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
      start + "content-length: +4\r\n\r\nabcd",
      start + "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
      start + "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      start + "host: b.test\r\n\r\n",
      start + "x: 1\r\n folded\r\n\r\n",
      start + "x : 1\r\n\r\n",
      start + "x: a\nb: c\r\n\r\n",
      "GET http://a.test/ HTTP/1.1\nhost: a.test\n\n",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    Peer client(connected(port));
    client.send(row + smuggled);
    const std::string answer = client.receive_all();
    CHECK(status(answer) == 400);
    CHECK(answer.find("HTTP/1.1", 1) == std::string::npos);
  }
  CHECK(origin.connections() == 0);
  gate.stop();
  CHECK(gate.records("request").size() == std::size(rows));
}

TEST_CASE("what an origin sends beyond its answer is nobody's answer") {
  const Origin origin([](const std::string& request) {
    return request.find("/first") == std::string::npos ? ok("second") : ok("first") + ok("forged");
  });
  Assembled gate;
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test")}, pinned({{"a.test", origin.port()}})));
  gate.start();
  Peer client(connected(port));
  client.send(get("a.test", "http://a.test/first"));
  CHECK(client.receive_message().ends_with("first"));
  client.send(get("a.test", "http://a.test/second"));
  CHECK(client.receive_message().ends_with("second"));
  CHECK(origin.connections() == 2);
}
