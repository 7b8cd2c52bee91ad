// `secrets:`: where each comes from, and where its placeholder counts.
#pragma once

#include <map>
#include <string>

#include "config/schema/context.h"

namespace egret::schema {

std::map<std::string, SecretConfig> read_secrets(Context& context, const Node& node);
// `GITHUB_TOKEN`: a name that an environment variable can have.
bool is_variable_name(std::string_view text);

}  // namespace egret::schema
