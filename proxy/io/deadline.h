// Deadlines of one worker's connections, on a coarse wheel: setting one costs two stores, and a
// connection is looked at four times a second (DESIGN part 7, ATTACKS H01).
#pragma once

#include <chrono>
#include <cstdint>

#include "proxy/io/asio.h"

namespace egret {

class Deadlines;

// Something that can run out of time. Lives and dies on one worker's thread.
class Deadline {
 public:
  explicit Deadline(Deadlines& wheel);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void expires_after(std::chrono::milliseconds time);
  void never() { at_tick_ = UINT64_MAX; }
  bool expired() const { return expired_; }

 protected:
  virtual ~Deadline();
  // Called once, on the worker's thread, when the time is up.
  virtual void on_expiry() = 0;

 private:
  friend class Deadlines;
  Deadlines& wheel_;
  Deadline* next_ = nullptr;
  Deadline* previous_ = nullptr;
  std::uint64_t at_tick_ = UINT64_MAX;
  bool expired_ = false;
};

class Deadlines {
 public:
  static constexpr std::chrono::milliseconds tick{250};

  explicit Deadlines(asio::io_context& context);
  ~Deadlines();
  // Ticks until the context stops.
  void start();
  std::uint64_t now() const { return now_; }
  std::size_t size() const { return size_; }

 private:
  friend class Deadline;
  void arm();
  void sweep();
  asio::steady_timer timer_;
  Deadline* first_ = nullptr;
  Deadline* cursor_ = nullptr;  // next to be looked at while sweeping
  std::uint64_t now_ = 0;
  std::size_t size_ = 0;
};

}  // namespace egret
