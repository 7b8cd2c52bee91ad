// `origins.via` and `origins.bypass`: the HTTP proxy through which origins are reached.
#pragma once

#include "config/schema/context.h"

namespace egret::schema {

// No error repeats the URL: its user and password are secrets.
void read_via(Context& context, const Node& node, OriginsConfig& origins);
void read_bypass(Context& context, const Node& node, OriginsConfig& origins);

}  // namespace egret::schema
