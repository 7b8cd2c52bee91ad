#include "sandbox-glue/keeper/messages.h"

#include <fcntl.h>

#include <doctest/doctest.h>

#include "sandbox-glue/namespace/open_sockets.h"

namespace egret {
namespace {

Offer some_offer() {
  auto sockets = open_namespace_sockets();
  REQUIRE(sockets.has_value());
  Offer offer;
  offer.sandbox = "web";
  offer.label = "netns /run/netns/web one";
  offer.identity = "4:1";
  offer.sockets = std::move(*sockets);
  return offer;
}

std::optional<Offer> sent_over(const Offer& offer) {
  auto pair = make_channel();
  REQUIRE(pair.has_value());
  REQUIRE(send_offer(pair->theirs, offer).has_value());
  auto received = receive_message(pair->ours);
  REQUIRE(received.has_value());
  REQUIRE(received->has_value());
  return offer_in(std::move(**received));
}

}  // namespace

TEST_CASE("an offer of a path travels whole") {
  Offer offer = some_offer();
  offer.path = "/run/netns/web one";
  const auto came = sent_over(offer);
  REQUIRE(came.has_value());
  CHECK(came->sandbox == offer.sandbox);
  CHECK(came->label == offer.label);
  CHECK(came->identity == offer.identity);
  CHECK(came->path == offer.path);
  CHECK_FALSE(static_cast<bool>(came->alive));
  CHECK(came->sockets.tcp_port == offer.sockets.tcp_port);
  CHECK(came->sockets.dns_port == offer.sockets.dns_port);
  CHECK(descriptors_of(came->sockets).size() == descriptors_of(offer.sockets).size());
}

TEST_CASE("an offer of a process brings what tells its end") {
  Offer offer = some_offer();
  offer.alive = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto came = sent_over(offer);
  REQUIRE(came.has_value());
  CHECK(static_cast<bool>(came->alive));
  CHECK(static_cast<bool>(came->sockets.tcp4));
}

TEST_CASE("an offer that could not be watched, served or named is none") {
  Offer offer = some_offer();
  CHECK_FALSE(sent_over(offer).has_value());  // neither path nor process
  offer.path = "/run/netns/web";
  offer.label = "two\nlines";
  CHECK_FALSE(sent_over(offer).has_value());
  offer.label = "";
  CHECK_FALSE(sent_over(offer).has_value());
  offer.label = "netns";
  offer.sockets.tcp_port = 0;
  CHECK_FALSE(sent_over(offer).has_value());
  for (const std::string& bytes :
       {std::string(), std::string("keep"), joined({"keep", "a", "b", "c", "/d", "1", "2"}),
        joined({"keep", "a", "b", "c", "/d", "x", "2"}), joined({"list"})}) {
    CHECK_FALSE(offer_in({bytes, {}, -1}).has_value());
  }
}

TEST_CASE("fields come back as they were joined") {
  for (const Fields& fields : {Fields{""}, Fields{"ok"}, Fields{"a", "", "b"}, Fields{"", ""}})
    CHECK(fields_of(joined(fields)) == fields);
}

}  // namespace egret
