#include "sandbox-glue/namespace/fault.h"

#include <system_error>
#include <utility>

namespace egret {

SetupFault system_fault(const std::string& step, int error, std::string remedy) {
  return {step + ": " + std::generic_category().message(error), std::move(remedy)};
}

}  // namespace egret
