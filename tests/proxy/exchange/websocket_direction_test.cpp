// A direction is rewritten where the sandbox has secrets, else passed as it is.
#include "proxy/exchange/websocket_direction.h"

#include "tests/proxy/exchange/websocket_peers.h"

using namespace egret;
using namespace egret::test;

TEST_CASE("without any secret the bytes of well-formed frames pass untouched") {
  const SnapshotPtr empty = make_snapshot("web", 1, Policy(), GrantTable(), AddressRules());
  const Target to = target("https://plain.test");
  const std::string stream = "\x81\x85maskhello\x89\x80mask";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    WebSocketDirection direction(WebSocketSide::client, std::nullopt, *empty, to, counting_keys());
    std::string passed;
    for (std::string_view in :
         {std::string_view(stream).substr(0, cut), std::string_view(stream).substr(cut)}) {
      const WebSocketDirection::Step step = direction.step(in);
      CHECK_FALSE(step.stop.has_value());
      CHECK_FALSE(step.more);
      passed += step.data;
    }
    CHECK(passed == stream);
    CHECK(direction.frames() == 2);
    CHECK(direction.redactions() == 0);
    CHECK(direction.uses().empty());
  }
}

TEST_CASE("a close of the gate's own is never said inside a frame or behind a close") {
  const SnapshotPtr empty = make_snapshot("web", 1, Policy(), GrantTable(), AddressRules());
  const Target to = target("https://plain.test");
  const std::string close = "\x88\x05\x03\xf0why";
  struct {
    std::string before;
    bool said;
  } const rows[] = {{"", true},
                    {"\x81\x05hello", true},
                    {"\x81\x05hel", false},
                    {"\x81", false},
                    {"\x88\x02\x03\xe8", false}};
  for (const SnapshotPtr& snapshot : {empty, socket_scene()}) {
    for (const auto& row : rows) {
      WebSocketDirection direction(WebSocketSide::server, std::nullopt, *snapshot, to,
                                   counting_keys());
      std::string_view in = row.before;
      direction.step(in);
      // A direction that is rewritten is always between two frames.
      const bool rewritten = snapshot != empty && !direction.closed();
      CHECK(direction.close(1008, "why") == (row.said || rewritten ? close : ""));
    }
  }
}
