// The end of a decision whose line reached the file after its caller had been told that it had not.
#pragma once

#include <string>
#include <string_view>

#include "proxy/audit/record.h"

namespace egret {

// The body of the end that closes `body`, a rendered decision; empty where that needs none, because
// it denied or is of a kind that has no end.
std::string closing_record(std::string_view body, AuditTime now);

}  // namespace egret
