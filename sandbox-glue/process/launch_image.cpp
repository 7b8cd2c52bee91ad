#include "sandbox-glue/process/launch_image.h"

// EGRET_LAUNCH_IMAGE is the built program's path, set by CMake.
asm(".pushsection .rodata\n"
    ".global egret_launch_image_begin\n"
    ".global egret_launch_image_end\n"
    "egret_launch_image_begin:\n"
    ".incbin \"" EGRET_LAUNCH_IMAGE
    "\"\n"
    "egret_launch_image_end:\n"
    ".popsection\n");

extern "C" const char egret_launch_image_begin[];
extern "C" const char egret_launch_image_end[];

namespace egret {

std::string_view launch_image() {
  return {egret_launch_image_begin,
          static_cast<std::size_t>(egret_launch_image_end - egret_launch_image_begin)};
}

}  // namespace egret
