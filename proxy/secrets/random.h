// The system's random source, getrandom(2), for placeholders and tokens.
#pragma once

#include "policy/secret/placeholder.h"

namespace egret {

RandomSource system_random();

}  // namespace egret
