// `origins:`: which other certificates and addresses the gate accepts on the origins' side, and how
// it gets there.
#pragma once

#include "config/schema/context.h"

namespace egret::schema {

void read_origins(Context& context, const Node& node, OriginsConfig& origins);

}  // namespace egret::schema
