// Memory for the compression libraries and nghttp2 that is overwritten when it is given back: what
// they work on may hold a secret. The shape of the compression libraries' callbacks; `opaque` is
// not used and nothing is shared. Null where there is no memory.
#pragma once

#include <cstddef>

namespace egret {

void* allocate_wiped(void* opaque, std::size_t bytes);
void* allocate_wiped_items(void* opaque, unsigned items, unsigned bytes_each);
void* allocate_wiped_zeros(void* opaque, std::size_t items, std::size_t bytes_each);
void* reallocate_wiped(void* opaque, void* memory, std::size_t bytes);
void free_wiped(void* opaque, void* memory);

}  // namespace egret
