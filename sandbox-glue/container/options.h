// Options that a person hands on to podman with --container-option, and which of them may be.
//
// A list of what is harmless and not of what is dangerous: podman has some 150 options, and the
// next version has more.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace egret {

// `--memory=2g`, `memory=2g` and `--memory 2g` alike become `--memory=2g`. A fault says why an
// option is not handed on.
Result<std::vector<std::string>, std::string> container_options(
    const std::vector<std::string>& given);

// Whether `options` (as container_options() gives them) have one of this name.
bool has_option(const std::vector<std::string>& options, std::string_view name,
                std::string_view value_start = {});

}  // namespace egret
