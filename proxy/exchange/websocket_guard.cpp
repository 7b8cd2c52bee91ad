#include "proxy/exchange/websocket_guard.h"

#include "proxy/exchange/exchange.h"

namespace egret {
namespace {

constexpr std::uint16_t policy_violation = 1008;

WebSocketStop violation(Reason reason, const char* what) {
  return {reason, policy_violation, what};
}

WebSocketStop misplaced() {
  return violation(Reason::secret_location,
                   "egret: a placeholder may stand in a text message only, and where "
                   "`in: [websocket]` opens it");
}

}  // namespace

WebSocketGuard::WebSocketGuard(WebSocketSide sender, const SandboxSnapshot& snapshot,
                               const Target& target)
    : sender_(sender),
      snapshot_(snapshot),
      target_(target),
      messages_(sender == WebSocketSide::client ? snapshot.websocket
                                                : needles_for_response(snapshot, target.host)) {}

std::optional<WebSocketStop> WebSocketGuard::push(Kind kind, std::string_view in,
                                                  std::string& out) {
  messages_.push(in, out);
  return check_new_hits(kind);
}

std::optional<WebSocketStop> WebSocketGuard::finish(Kind kind, std::string& out) {
  messages_.finish(out);
  return check_new_hits(kind);
}

std::optional<WebSocketStop> WebSocketGuard::control(std::string& payload) {
  // A control frame has no room to grow, and no business with secrets.
  const bool up = sender_ == WebSocketSide::client;
  StreamReplacer replacer(up ? snapshot_.websocket : snapshot_.mask);
  std::string out;
  replacer.push(payload, out);
  replacer.finish(out);
  if (!up) {
    redacted_in_controls_ += replacer.replaced();
    payload = std::move(out);
    return std::nullopt;
  }
  if (replacer.replaced() == 0) return std::nullopt;
  wipe(out);
  const auto& hits = replacer.hit_ids();
  for (std::size_t id = 0; id < hits.size(); ++id) {
    if (hits[id] > 0 && !covers(id)) return refusal(id);
  }
  return misplaced();
}

std::optional<WebSocketStop> WebSocketGuard::check_new_hits(Kind kind) {
  if (sender_ == WebSocketSide::server) return std::nullopt;
  const auto& hits = messages_.hit_ids();
  used_.resize(hits.size());
  for (std::size_t id = 0; id < hits.size(); ++id) {
    if (hits[id] == used_[id]) continue;
    if (!covers(id)) return refusal(id);
    if (kind != Kind::text || !snapshot_.grants.grants()[id].has(PlaceKind::websocket)) {
      return misplaced();
    }
  }
  used_ = hits;
  return std::nullopt;
}

bool WebSocketGuard::covers(std::size_t grant) const {
  return snapshot_.grants.grants()[grant].covers(target_);
}

// Why this grant's placeholder may not stand anywhere here.
WebSocketStop WebSocketGuard::refusal(std::size_t grant) const {
  if (snapshot_.grants.grants()[grant].covers(target_.host)) {
    return violation(Reason::secret_insecure,
                     "egret: a secret leaves over TLS only; use wss:// for this host");
  }
  return violation(Reason::secret_scope,
                   "egret: this secret is not for this host; its hosts stand under secrets in "
                   "egret.yaml");
}

std::uint64_t WebSocketGuard::redactions() const {
  return sender_ == WebSocketSide::server ? messages_.replaced() + redacted_in_controls_ : 0;
}

std::vector<PlannedUse> WebSocketGuard::uses() const {
  std::vector<PlannedUse> uses;
  for (std::size_t id = 0; id < used_.size(); ++id) {
    const Grant& grant = snapshot_.grants.grants()[id];
    if (used_[id] > 0) uses.push_back({&grant, "websocket", static_cast<unsigned>(used_[id])});
  }
  return uses;
}

}  // namespace egret
