// `listen:`: where an explicit proxy is reached.
#pragma once

#include <string>
#include <vector>

#include "config/schema/context.h"

namespace egret::schema {

std::vector<Listen> read_listen(Context& context, const Node& node,
                                const std::vector<std::string>& sandboxes);

}  // namespace egret::schema
