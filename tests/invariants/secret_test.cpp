// Invariants 3 and 4: a secret leaves only over verified TLS to its own hosts, in its places; and
// its bytes come back neither to the client nor into a record.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

namespace {

const std::string bearer = "authorization: Bearer " + hub_placeholder + "\r\n";

std::vector<Grant> hub_grant() {
  return {grant("HUB", hub_placeholder, hub_secret, {"hub.test"}, {"header"})};
}

}  // namespace

TEST_CASE("the secret reaches its own host over verified TLS, and nobody else") {
  const Root root;
  const Root stranger;
  const Made right = root.certificate_for("DNS:hub.test,DNS:other.test");
  const Made wrong = stranger.certificate_for("DNS:hub.test");
  const Origin proved([](const std::string&) { return ok(); }, &right);
  const Origin unproved([](const std::string&) { return ok(); }, &wrong);
  const Origin plain;
  const auto rules = [] { return std::vector<Rule>{allow("hub.test"), allow("other.test")}; };
  Assembled gate(&root);
  const std::uint16_t good = gate.add(policy_of(
      rules(), pinned({{"hub.test", proved.port()}, {"other.test", proved.port()}}), hub_grant()));
  const std::uint16_t bad = gate.add(
      policy_of(rules(), pinned({{"hub.test", unproved.port()}}), hub_grant(), "unproved"));
  const std::uint16_t clear =
      gate.add(policy_of(rules(), pinned({{"hub.test", plain.port()}}), hub_grant(), "plain"));
  gate.start();

  CHECK(status(TlsClient(good, "hub.test").ask(get("hub.test", "/", bearer))) == 200);
  REQUIRE(proved.requests().size() == 1);
  CHECK(proved.requests()[0].find("authorization: Bearer " + hub_secret + "\r\n") !=
        std::string::npos);
  CHECK(proved.requests()[0].find(hub_placeholder) == std::string::npos);

  CHECK(status(TlsClient(good, "other.test").ask(get("other.test", "/", bearer))) == 403);
  CHECK(status(TlsClient(good, "hub.test")
                   .ask(get("hub.test", "/", "x-note: " + hub_placeholder + "\r\n"))) == 403);
  CHECK(status(TlsClient(good, "hub.test").ask(get("hub.test", "/?q=" + hub_placeholder))) == 403);
  CHECK(proved.requests().size() == 1);

  CHECK(status(TlsClient(bad, "hub.test").ask(get("hub.test", "/", bearer))) == 502);
  CHECK(unproved.requests().empty());

  Peer client(connected(clear));
  client.send(get("hub.test", "http://hub.test/", bearer));
  CHECK(status(client.receive_message()) == 403);
  CHECK(plain.connections() == 0);
}

TEST_CASE("what an origin echoes is redacted, and no record holds it") {
  const Root root;
  const Made certificate = root.certificate_for("DNS:hub.test");
  const Origin origin(
      [](const std::string& request) {
        return "HTTP/1.1 200 Hello " + hub_secret + "\r\nx-echo: " + hub_secret +
               "\r\ncontent-length: " + std::to_string(request.size()) + "\r\n\r\n" + request;
      },
      &certificate);
  Assembled gate(&root);
  const std::uint16_t port =
      gate.add(policy_of({allow("hub.test")}, pinned({{"hub.test", origin.port()}}), hub_grant()));
  gate.start();
  {
    TlsClient client(port, "hub.test");
    client.peer.send(get("hub.test", "/", bearer + "connection: close\r\n"));
    const std::string answer = client.peer.receive_all();
    CHECK(status(answer) == 200);
    CHECK(answer.find("authorization: Bearer " + hub_placeholder) != std::string::npos);
    CHECK(answer.find(hub_secret) == std::string::npos);
  }
  REQUIRE(origin.requests().size() == 1);
  CHECK(origin.requests()[0].find(hub_secret) != std::string::npos);
  gate.stop();
  CHECK(gate.audit_text().find(hub_secret) == std::string::npos);
  REQUIRE(gate.records("response").size() == 1);
  CHECK(gate.records("response")[0]["redactions"] == 3);
  const auto request = gate.records("request").at(0);
  CHECK(request["secrets"][0]["name"] == "HUB");
  CHECK(request["secrets"][0]["in"] == "header:authorization");
}
