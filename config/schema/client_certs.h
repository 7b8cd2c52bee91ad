// `origins.client_certs`: which certificate the gate shows to which origins.
#pragma once

#include "config/schema/context.h"

namespace egret::schema {

void read_client_certs(Context& context, const Node& node, OriginsConfig& origins);

}  // namespace egret::schema
