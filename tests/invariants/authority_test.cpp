// Invariant 9: each sandbox has a CA of its own, trusted nowhere else.
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

namespace {

long verified(std::uint16_t port, const Sandbox& trusted, const std::string& name) {
  const ContextPtr context = any_client_tls();
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), trusted.authority().certificate());
  Peer peer(connected(port));
  peer.send("CONNECT " + name + ":443 HTTP/1.1\r\nhost: " + name + "\r\n\r\n");
  REQUIRE(status(peer.receive_message()) == 200);
  REQUIRE(peer.connect_tls(context.get(), name) == 0);
  if (!certificate_is_for(SSL_get0_peer_certificate(peer.ssl()), host(name))) return -1;
  return SSL_get_verify_result(peer.ssl());
}

}  // namespace

TEST_CASE("a leaf is for exactly its name and verifies with its own sandbox's CA only") {
  Assembled gate;
  const std::uint16_t first = gate.add(policy_of({allow("a.test")}));
  const std::uint16_t second = gate.add(policy_of({allow("a.test")}, {}, {}, "other"));
  gate.start();
  CHECK(verified(first, gate.sandbox(0), "a.test") == X509_V_OK);
  CHECK(verified(second, gate.sandbox(1), "a.test") == X509_V_OK);
  CHECK(verified(first, gate.sandbox(1), "a.test") != X509_V_OK);
  CHECK(verified(second, gate.sandbox(0), "a.test") != X509_V_OK);
}
