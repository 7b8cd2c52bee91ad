// Makes every address of the world local to the current network namespace.
#pragma once

#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// What bring_up_loopback() has changed so far.
struct LoopbackChanges {
  bool up = false;
  bool address = false;  // 127.0.0.1, which the kernel gives it when it comes up for the first time
  bool route4 = false;
  bool route6 = false;
  std::vector<std::string> ipv6_settings;  // files of /proc/sys in which 1 became 0
};

// Brings `lo` up and adds `local 0.0.0.0/0 dev lo src 127.0.0.1` and, where the kernel has IPv6,
// `local ::/0 dev lo src ::1`, where they are missing. What it did is in `changes`, after a fault
// as well. REQUIRES: CAP_NET_ADMIN over the current network namespace.
Result<void, SetupFault> bring_up_loopback(LoopbackChanges& changes);

void undo(const LoopbackChanges& changes) noexcept;

// Whether this kernel has IPv6 at all; where it has none, nothing can leave by it either.
bool kernel_has_ipv6();

}  // namespace egret
