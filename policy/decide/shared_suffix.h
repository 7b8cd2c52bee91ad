// Suffixes under which strangers can register names. A wildcard straight below one of them opens
// the door to anybody (ATTACKS A04). This short list is the floor's own; config checks against the
// system's public suffix list on top.
#pragma once

#include <string_view>

namespace egret {

// A single label (`com`), or a known suffix of many tenants (`github.io`, `co.uk`).
bool is_shared_suffix(std::string_view name);

}  // namespace egret
