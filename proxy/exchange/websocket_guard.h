// What may stand in the messages of one direction of a WebSocket: placeholders of the client are
// filled in where a grant says `in: [websocket]`, and end the connection anywhere else; real values
// do not come down (ATTACKS F01, F02, F03).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/secret/replacer.h"
#include "proxy/exchange/placeholders.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/wire/websocket_frames.h"

namespace egret {

// Why a WebSocket cannot go on, and what its client is told.
struct WebSocketStop {
  Reason reason = Reason::internal;
  std::uint16_t close_code = 1011;
  const char* what = "";  // constant words for the close frame, at most 123 bytes
};

class WebSocketGuard {
 public:
  // `snapshot` and `target` live longer.
  WebSocketGuard(WebSocketSide sender, const SandboxSnapshot& snapshot, const Target& target);

  enum class Kind : std::uint8_t { text, binary };
  // What is settled of a message is appended to `out`; where a stop is returned, nothing of it may
  // be sent.
  std::optional<WebSocketStop> push(Kind kind, std::string_view in, std::string& out);
  std::optional<WebSocketStop> finish(Kind kind, std::string& out);  // the message ends
  // A control frame's whole payload; its length is kept.
  std::optional<WebSocketStop> control(std::string& payload);

  std::uint64_t redactions() const;
  std::vector<PlannedUse> uses() const;

 private:
  std::optional<WebSocketStop> check_new_hits(Kind kind);
  bool covers(std::size_t grant) const;
  WebSocketStop refusal(std::size_t grant) const;

  WebSocketSide sender_;
  const SandboxSnapshot& snapshot_;
  const Target& target_;
  StreamReplacer messages_;
  std::vector<std::size_t> used_;  // hits by the grant's index, all of them allowed
  std::uint64_t redacted_in_controls_ = 0;
};

}  // namespace egret
