// From the command's start to its end: signals in, terminal both ways.
#pragma once

#include "sandbox-glue/process/bubblewrapped.h"
#include "sandbox-glue/process/signals.h"
#include "sandbox-glue/process/terminal.h"

namespace egret {

// Blocks until everything inside is gone; the command's exit status.
int supervise(Bubblewrapped& sandbox, SignalInbox& signals, TerminalRelay& terminal);

}  // namespace egret
