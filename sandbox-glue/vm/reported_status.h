// The exit status of the guest's command, as the guest says it on its second serial port.
#pragma once

#include <optional>
#include <string>

#include "policy/unique_fd.h"

namespace egret {

// What a guest may write is without end, what counts is the last line: a number from 0 to 255.
class ReportedStatus {
 public:
  explicit ReportedStatus(const UniqueFd& pipe) : pipe_(pipe) {}

  void read();  // never blocks; takes all there is
  std::optional<int> value() const;

 private:
  const UniqueFd& pipe_;
  std::string tail_;
};

}  // namespace egret
