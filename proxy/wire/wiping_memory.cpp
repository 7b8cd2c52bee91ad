#include "proxy/wire/wiping_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "policy/secret/secret.h"

namespace egret {
namespace {

// The size stands in front of the block, which stays aligned for anything.
constexpr std::size_t front = alignof(std::max_align_t);
static_assert(front >= sizeof(std::size_t));

char* block_of(void* memory) {
  return static_cast<char*>(memory) - front;
}

std::size_t size_of(void* memory) {
  std::size_t bytes = 0;
  std::memcpy(&bytes, block_of(memory), sizeof bytes);
  return bytes;
}

}  // namespace

bool MemoryBudget::take(std::size_t bytes) noexcept {
  if (bytes <= bytes_max_ && used_.fetch_add(bytes) <= bytes_max_ - bytes) return true;
  if (bytes <= bytes_max_) used_ -= bytes;
  return false;
}

void* allocate_wiped(void* opaque, std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() - front) return nullptr;
  auto* budget = static_cast<MemoryBudget*>(opaque);
  if (budget != nullptr && !budget->take(bytes)) return nullptr;
  auto* block = static_cast<char*>(std::malloc(front + bytes));
  if (block == nullptr) {
    if (budget != nullptr) budget->give_back(bytes);
    return nullptr;
  }
  std::memcpy(block, &bytes, sizeof bytes);
  return block + front;
}

void* allocate_wiped_items(void* opaque, unsigned items, unsigned bytes_each) {
  return allocate_wiped(opaque, static_cast<std::size_t>(items) * bytes_each);
}

void* allocate_wiped_zeros(void* opaque, std::size_t items, std::size_t bytes_each) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(items, bytes_each, &bytes)) return nullptr;
  void* memory = allocate_wiped(opaque, bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

void* reallocate_wiped(void* opaque, void* memory, std::size_t bytes) {
  void* moved = allocate_wiped(opaque, bytes);
  if (moved == nullptr || memory == nullptr) return moved;
  std::memcpy(moved, memory, std::min(bytes, size_of(memory)));
  free_wiped(opaque, memory);
  return moved;
}

void free_wiped(void* opaque, void* memory) {
  if (memory == nullptr) return;
  if (opaque != nullptr) static_cast<MemoryBudget*>(opaque)->give_back(size_of(memory));
  wipe_bytes(memory, size_of(memory));
  std::free(block_of(memory));
}

}  // namespace egret
