// Something that one coroutine waits for and another one says. On one worker's thread; what is
// waited for is looked at again after every wake.
#pragma once

#include <chrono>

#include <boost/asio/redirect_error.hpp>

#include "proxy/io/asio.h"

namespace egret {

class Event {
 public:
  explicit Event(const asio::any_io_executor& executor) : timer_(executor) {}

  // Until notify() is called, or the time is up (false). One coroutine at a time.
  Task<bool> wait(std::chrono::milliseconds at_most) {
    error_code error;
    timer_.expires_after(at_most);
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    co_return error == asio::error::operation_aborted;
  }
  void notify() { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

}  // namespace egret
