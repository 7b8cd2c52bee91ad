// Memory for the compression libraries that is overwritten when it is given back: what they work
// on may hold a secret. The shape of their allocation callbacks; nothing is shared.
#pragma once

#include <cstddef>

namespace egret {

void* allocate_wiped(void* opaque, std::size_t bytes);
void* allocate_wiped_items(void* opaque, unsigned items, unsigned bytes_each);
void free_wiped(void* opaque, void* memory);

}  // namespace egret
