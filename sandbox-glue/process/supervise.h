// From the command's start to its end: signals in, terminal both ways.
#pragma once

#include <functional>
#include <vector>

#include "sandbox-glue/process/bubblewrapped.h"
#include "sandbox-glue/process/signals.h"
#include "sandbox-glue/process/terminal.h"

namespace egret {

// Something to do beside, whenever its descriptor can be read.
struct Errand {
  int descriptor;
  std::function<void()> run;
};

// Blocks until everything inside is gone; the command's exit status.
int supervise(Bubblewrapped& sandbox, SignalInbox& signals, TerminalRelay& terminal,
              const std::vector<Errand>& errands = {});

}  // namespace egret
