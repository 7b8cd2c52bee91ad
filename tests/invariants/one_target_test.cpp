// Invariant 2: CONNECT authority = SNI = Host = dialled name = verified certificate name.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

TEST_CASE("a TLS name other than that of CONNECT is refused by alert 112") {
  const Origin origin;
  Assembled gate;
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test"), allow("b.test")},
                         pinned({{"a.test", origin.port()}, {"b.test", origin.port()}})));
  gate.start();
  CHECK(TlsClient(port, "a.test", "b.test").alert == 112);
  CHECK(TlsClient(port, "a.test", "evil.test").alert == 112);
  CHECK(TlsClient(port, "a.test", "A.test.").alert == 0);
  gate.stop();
  CHECK(origin.connections() == 0);
  std::size_t mismatches = 0;
  for (const auto& record : gate.records("connection"))
    mismatches += record["reason"] == "sni_mismatch";
  CHECK(mismatches == 2);
}

TEST_CASE("another Host inside is 421, and the connection ends") {
  const Root root;
  const Made certificate = root.certificate_for("DNS:a.test");
  const Origin origin([](const std::string&) { return ok(); }, &certificate);
  Assembled gate(&root);
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test"), allow("b.test")},
                         pinned({{"a.test", origin.port()}, {"b.test", origin.port()}})));
  gate.start();
  TlsClient good(port, "a.test");
  CHECK(status(good.ask(get("a.test:443", "/x"))) == 200);
  REQUIRE(origin.requests().size() == 1);
  CHECK(origin.requests()[0].starts_with("GET /x HTTP/1.1\r\nhost: a.test\r\n"));
  TlsClient bad(port, "a.test");
  CHECK(status(bad.ask(get("b.test", "/x"))) == 421);
  CHECK(bad.peer.receive_all().empty());
  CHECK(origin.requests().size() == 1);
}

TEST_CASE("an origin that cannot prove the name gets no byte of the request") {
  const Root root;
  const Root stranger;
  const Made certificates[] = {root.certificate_for("DNS:b.test"),
                               root.certificate_for("DNS:*.a.test"),
                               stranger.certificate_for("DNS:a.test")};
  for (const Made& certificate : certificates) {
    const Origin origin([](const std::string&) { return ok(); }, &certificate);
    Assembled gate(&root);
    const std::uint16_t port =
        gate.add(policy_of({allow("a.test")}, pinned({{"a.test", origin.port()}})));
    gate.start();
    CHECK(status(TlsClient(port, "a.test").ask(get("a.test", "/"))) == 502);
    CHECK(origin.connections() == 1);
    CHECK(origin.requests().empty());
  }
}
