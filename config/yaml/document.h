// YAML text to a tree, by a strict subset: one document; no anchors, aliases, tags or merge keys;
// quotes that close on their own line; at most depth_max levels.
#pragma once

#include <optional>
#include <string_view>

#include "config/yaml/node.h"
#include "config/yaml/problems.h"

namespace egret::yaml {

inline constexpr std::size_t depth_max = 8;

// Nothing where the text holds no document or cannot be parsed at all; the problem is then
// reported. With smaller faults the tree comes back with `broken` nodes at their places.
std::optional<Node> read_document(std::string_view text, Problems& problems);

}  // namespace egret::yaml
