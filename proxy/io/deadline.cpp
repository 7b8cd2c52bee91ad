#include "proxy/io/deadline.h"

namespace egret {

Deadline::Deadline(Deadlines& wheel) : wheel_(wheel), next_(wheel.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  wheel_.first_ = this;
  ++wheel_.size_;
}

Deadline::~Deadline() {
  if (wheel_.cursor_ == this) wheel_.cursor_ = next_;
  if (wheel_.first_ == this) wheel_.first_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (previous_ != nullptr) previous_->next_ = next_;
  --wheel_.size_;
}

void Deadline::expires_after(std::chrono::milliseconds time) {
  const auto ticks = static_cast<std::uint64_t>(
      (time + Deadlines::tick - std::chrono::milliseconds(1)) / Deadlines::tick);
  at_tick_ = wheel_.now_ + ticks + 1;
  expired_ = false;
}

Deadlines::Deadlines(asio::io_context& context) : timer_(context) {}
Deadlines::~Deadlines() = default;

void Deadlines::start() {
  arm();
}

void Deadlines::arm() {
  timer_.expires_after(tick);
  timer_.async_wait([this](const error_code& error) {
    if (error) return;
    sweep();
    arm();
  });
}

void Deadlines::sweep() {
  ++now_;
  for (cursor_ = first_; cursor_ != nullptr;) {
    Deadline* looked_at = cursor_;
    cursor_ = looked_at->next_;
    if (looked_at->at_tick_ > now_) continue;
    looked_at->at_tick_ = UINT64_MAX;
    looked_at->expired_ = true;
    looked_at->on_expiry();
  }
}

}  // namespace egret
