#include "sandbox-glue/vm/reported_status.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <unistd.h>

namespace egret {
namespace {

constexpr std::size_t tail_bytes_max = 16;
constexpr int status_max = 255;

}  // namespace

// At most this often at a time, so that a guest that never stops writing does not hold up the rest.
void ReportedStatus::read() {
  constexpr int reads_max = 16;
  std::array<char, 4096> bytes;
  for (int i = 0; i < reads_max; ++i) {
    const ssize_t length = ::read(pipe_.get(), bytes.data(), bytes.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return;
    tail_.append(bytes.data(), static_cast<std::size_t>(length));
    if (tail_.size() > tail_bytes_max) tail_.erase(0, tail_.size() - tail_bytes_max);
  }
}

std::optional<int> ReportedStatus::value() const {
  constexpr const char* ends = "\r\n";
  const std::size_t last = tail_.find_last_not_of(ends);
  if (last == std::string::npos || last + 1 == tail_.size()) return {};  // not a whole line
  const std::size_t before = tail_.find_last_of(ends, last);
  const std::size_t first = before == std::string::npos ? 0 : before + 1;
  int number = -1;
  const char* end = tail_.data() + last + 1;
  const auto [stop, error] = std::from_chars(tail_.data() + first, end, number);
  if (error != std::errc() || stop != end || number < 0 || number > status_max) return {};
  return number;
}

}  // namespace egret
