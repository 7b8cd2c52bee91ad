#include "proxy/audit/lanes.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace egret {

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Wakeup::wake() {
  const std::uint64_t one = 1;
  // Fails only where the counter is full, and then the waiter wakes anyway.
  [[maybe_unused]] const auto wrote = ::write(fd_.get(), &one, sizeof one);
}

void Wakeup::wait(std::optional<AuditClock::time_point> deadline) {
  int timeout_ms = -1;
  if (deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - AuditClock::now());
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) <= 0) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_.get(), &count, sizeof count);
}

void Lanes::push(unsigned lane, Entry entry) {
  Lane& mine = lanes_[lane % lanes_.size()];
  const std::lock_guard lock(mine.mutex);
  mine.entries.push_back(std::move(entry));
}

bool Lanes::push_within(std::size_t bytes_max, unsigned lane, Entry entry) {
  Lane& mine = lanes_[lane % lanes_.size()];
  const std::lock_guard lock(mine.mutex);
  if (mine.bounded_bytes + entry.body.size() > bytes_max) return false;
  mine.bounded_bytes += entry.body.size();
  mine.entries.push_back(std::move(entry));
  return true;
}

std::vector<Entry> Lanes::take_all() {
  for (Lane& lane : lanes_)
    lane.mutex.lock();
  std::vector<Entry> all;
  unsigned sources = 0;
  for (Lane& lane : lanes_) {
    lane.bounded_bytes = 0;
    if (lane.entries.empty()) continue;
    ++sources;
    if (all.empty()) {
      all.swap(lane.entries);
    } else {
      std::move(lane.entries.begin(), lane.entries.end(), std::back_inserter(all));
      lane.entries.clear();
    }
  }
  for (Lane& lane : lanes_)
    lane.mutex.unlock();
  if (sources > 1) {
    std::stable_sort(all.begin(), all.end(), [](const Entry& left, const Entry& right) {
      return left.submitted < right.submitted;
    });
  }
  return all;
}

std::vector<Entry> Lanes::take_decisions(AuditClock::time_point submitted_before) {
  std::vector<Entry> taken;
  for (Lane& lane : lanes_) {
    const std::lock_guard lock(lane.mutex);
    const auto keep =
        std::stable_partition(lane.entries.begin(), lane.entries.end(), [&](const Entry& entry) {
          return entry.kind != EntryKind::decision || entry.submitted > submitted_before;
        });
    std::move(keep, lane.entries.end(), std::back_inserter(taken));
    lane.entries.erase(keep, lane.entries.end());
  }
  return taken;
}

}  // namespace egret
