// Memory for the compression libraries and nghttp2 that is overwritten when it is given back: what
// they work on may hold a secret. The shape of the compression libraries' callbacks; `opaque` is
// the MemoryBudget that a block counts against, or null. Null where there is no memory.
#pragma once

#include <atomic>
#include <cstddef>

namespace egret {

// How much may be allocated at once by all who share it. Thread rule: any thread.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  bool take(std::size_t bytes) noexcept;
  void give_back(std::size_t bytes) noexcept { used_ -= bytes; }
  std::size_t used() const noexcept { return used_; }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
};

void* allocate_wiped(void* opaque, std::size_t bytes);
void* allocate_wiped_items(void* opaque, unsigned items, unsigned bytes_each);
void* allocate_wiped_zeros(void* opaque, std::size_t items, std::size_t bytes_each);
void* reallocate_wiped(void* opaque, void* memory, std::size_t bytes);
void free_wiped(void* opaque, void* memory);

}  // namespace egret
