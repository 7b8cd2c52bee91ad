#include "proxy/exchange/websocket_rewriter.h"

#include <utility>

namespace egret {
namespace {

constexpr std::size_t step_bytes_max = std::size_t{32} << 10;

unsigned window_bits(WebSocketSide sender, const WebSocketDeflate& deflate) {
  return sender == WebSocketSide::client ? deflate.client_max_window_bits
                                         : deflate.server_max_window_bits;
}

ContextTakeover takeover(WebSocketSide sender, const WebSocketDeflate& deflate) {
  const bool no = sender == WebSocketSide::client ? deflate.client_no_context_takeover
                                                  : deflate.server_no_context_takeover;
  return no ? ContextTakeover::no : ContextTakeover::yes;
}

}  // namespace

WebSocketStop stop_of(const WireFault& fault) {
  constexpr std::uint16_t protocol_error = 1002;
  return {fault.reason, protocol_error, fault.what};
}

bool rewrites_websockets(const SandboxSnapshot& snapshot) {
  return !snapshot.grants.empty();
}

WebSocketRewriter::WebSocketRewriter(WebSocketSide sender,
                                     const std::optional<WebSocketDeflate>& deflate,
                                     const SandboxSnapshot& snapshot, const Target& target,
                                     RandomSource random)
    : sender_(sender),
      deflate_(deflate),
      reader_(sender, deflate.has_value()),
      guard_(sender, snapshot, target),
      writer_(sender, std::move(random)) {}

WebSocketRewriter::~WebSocketRewriter() {
  for (std::string* text : {&inflated_, &plain_, &settled_})
    wipe(*text);
}

Result<WebSocketRewriter::Progress, WebSocketStop> WebSocketRewriter::step(std::string_view& in,
                                                                           std::string& out) {
  if (stop_) return *stop_;
  step_bytes_ = 0;
  const auto progress = run(in, out);
  if (!progress) {
    stop_ = progress.error();
    wipe(settled_);
  } else if (!settled_.empty()) {
    write_fragment(false, out);
  }
  return progress;
}

Result<WebSocketRewriter::Progress, WebSocketStop> WebSocketRewriter::run(std::string_view& in,
                                                                          std::string& out) {
  while (step_bytes_ < step_bytes_max) {
    Stop stop;
    if (inflating()) {
      stop = inflate_some();
    } else if (message_.ending) {
      stop = end_message(out);
    } else {
      const auto event = reader_.next(in);
      if (!event) return stop_of(event.error());
      if (event->kind == WebSocketReader::Event::Kind::none) return Progress::waiting;
      stop = take(*event, out);
    }
    if (stop) return *stop;
  }
  return Progress::more;
}

std::optional<WebSocketStop> WebSocketRewriter::take(const WebSocketReader::Event& event,
                                                     std::string& out) {
  using Kind = WebSocketReader::Event::Kind;
  switch (event.kind) {
    case Kind::head:
      begin_frame();
      return std::nullopt;
    case Kind::payload:
      return take_payload(event.payload);
    case Kind::end:
      return end_frame(out);
    case Kind::none:
      break;
  }
  return std::nullopt;
}

void WebSocketRewriter::begin_frame() {
  const WebSocketFrameHead& head = reader_.head();
  if (is_control(head.opcode)) {
    control_.clear();
    return;
  }
  if (head.opcode == WebSocketOpcode::continuation) return;
  message_ = {head.opcode, head.compressed, false, false};
  if (!head.compressed || inflater_) return;
  inflater_.emplace(window_bits(sender_, *deflate_), takeover(sender_, *deflate_));
  deflater_.emplace(window_bits(sender_, *deflate_), takeover(sender_, *deflate_));
}

std::optional<WebSocketStop> WebSocketRewriter::take_payload(std::string_view payload) {
  if (is_control(reader_.head().opcode)) {
    control_.append(payload);
    return std::nullopt;
  }
  if (message_.compressed) {
    inflater_->give(payload);
    return std::nullopt;
  }
  step_bytes_ += payload.size();
  return guard_.push(kind(), payload, settled_);
}

std::optional<WebSocketStop> WebSocketRewriter::end_frame(std::string& out) {
  const WebSocketFrameHead& head = reader_.head();
  if (is_control(head.opcode)) return end_control(out);
  if (head.final) {
    message_.ending = true;
    if (message_.compressed) inflater_->give_end();
  } else if (message_.compressed) {
    deflater_->flush(settled_);  // the sender wants this fragment to arrive
  }
  return std::nullopt;
}

std::optional<WebSocketStop> WebSocketRewriter::end_control(std::string& out) {
  if (auto stop = guard_.control(control_)) return stop;
  if (!settled_.empty()) write_fragment(false, out);
  writer_.write({reader_.head().opcode, true, false}, control_, out);
  closed_ = closed_ || reader_.head().opcode == WebSocketOpcode::close;
  return std::nullopt;
}

std::optional<WebSocketStop> WebSocketRewriter::inflate_some() {
  inflated_.clear();
  if (const auto taken = inflater_->take(inflated_); !taken) {
    const WireFault& fault = taken.error();
    return stop_of(sender_ == WebSocketSide::client ? fault : origin_fault(fault));
  }
  step_bytes_ += inflated_.size();
  plain_.clear();
  if (auto stop = guard_.push(kind(), inflated_, plain_)) return stop;
  deflater_->push(plain_, settled_);
  return std::nullopt;
}

std::optional<WebSocketStop> WebSocketRewriter::end_message(std::string& out) {
  message_.ending = false;
  if (message_.compressed) {
    plain_.clear();
    if (auto stop = guard_.finish(kind(), plain_)) return stop;
    deflater_->push(plain_, settled_);
    deflater_->finish(settled_);
  } else if (auto stop = guard_.finish(kind(), settled_)) {
    return stop;
  }
  write_fragment(true, out);
  return std::nullopt;
}

void WebSocketRewriter::write_fragment(bool final, std::string& out) {
  const WebSocketOpcode opcode = message_.begun ? WebSocketOpcode::continuation : message_.opcode;
  writer_.write({opcode, final, message_.compressed && !message_.begun}, settled_, out);
  message_.begun = true;
  settled_.clear();
}

WebSocketGuard::Kind WebSocketRewriter::kind() const {
  return message_.opcode == WebSocketOpcode::text ? WebSocketGuard::Kind::text
                                                  : WebSocketGuard::Kind::binary;
}

}  // namespace egret
