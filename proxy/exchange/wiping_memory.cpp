#include "proxy/exchange/wiping_memory.h"

#include <cstdlib>
#include <cstring>

#include "policy/secret/secret.h"

namespace egret {
namespace {

// The size stands in front of the block, which stays aligned for anything.
constexpr std::size_t front = alignof(std::max_align_t);
static_assert(front >= sizeof(std::size_t));

}  // namespace

void* allocate_wiped(void* /*opaque*/, std::size_t bytes) {
  auto* block = static_cast<char*>(std::malloc(front + bytes));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &bytes, sizeof bytes);
  return block + front;
}

void* allocate_wiped_items(void* opaque, unsigned items, unsigned bytes_each) {
  return allocate_wiped(opaque, static_cast<std::size_t>(items) * bytes_each);
}

void free_wiped(void* /*opaque*/, void* memory) {
  if (memory == nullptr) return;
  char* block = static_cast<char*>(memory) - front;
  std::size_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  wipe_bytes(memory, bytes);
  std::free(block);
}

}  // namespace egret
