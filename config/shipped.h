// The YAML texts that are compiled in: config/profiles/*.yaml and config/starter.yaml. The build
// writes the definitions (embed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace egret {

struct ShippedProfile {
  std::string_view name;
  std::string_view text;
};
std::span<const ShippedProfile> shipped_profiles();  // sorted by name

}  // namespace egret
