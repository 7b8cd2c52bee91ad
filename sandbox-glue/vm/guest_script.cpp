#include "sandbox-glue/vm/guest_script.h"

// EGRET_GUEST_SCRIPT is the path of guest.sh, set by CMake.
asm(".pushsection .rodata\n"
    ".global egret_guest_script_begin\n"
    ".global egret_guest_script_end\n"
    "egret_guest_script_begin:\n"
    ".incbin \"" EGRET_GUEST_SCRIPT
    "\"\n"
    "egret_guest_script_end:\n"
    ".popsection\n");

extern "C" const char egret_guest_script_begin[];
extern "C" const char egret_guest_script_end[];

namespace egret {

std::string_view guest_script() {
  return {egret_guest_script_begin,
          static_cast<std::size_t>(egret_guest_script_end - egret_guest_script_begin)};
}

}  // namespace egret
