// What the guest is told, each as a file of QEMU's firmware configuration device, below opt/egret/:
// guest.sh reads them.
#pragma once

#include <string>
#include <vector>

#include "sandbox-glue/namespace/sandbox_request.h"

namespace egret {

constexpr const char* guest_card = "52:54:00:65:67:72";

struct GuestFact {
  std::string name;  // opt/egret/...
  std::string content;
};

// setup (guest.sh), environment, network, command (only where there is one) and, for each of the
// request's files in /run/egret, file/NAME.
std::vector<GuestFact> guest_facts(const SandboxRequest& request);

}  // namespace egret
