#include "sandbox-glue/process/supervise.h"

#include <csignal>
#include <poll.h>

namespace egret {
namespace {

// Ctrl-Z on a terminal that is not ours to read: the kernel sends us SIGTSTP, and the command,
// which is in another session, hears nothing. It is stopped with us and goes on with us.
void stop_together(Bubblewrapped& sandbox, TerminalRelay& terminal) {
  sandbox.signal(SIGSTOP, Audience::CommandGroup);
  terminal.leave_raw();
  ::raise(SIGSTOP);
}

void forward(const signalfd_siginfo& info, Bubblewrapped& sandbox, TerminalRelay& terminal) {
  const int number = static_cast<int>(info.ssi_signo);
  // What a terminal sends, it sends to the whole foreground group.
  const bool typed = info.ssi_code == SI_KERNEL;
  if (number == SIGWINCH) return terminal.resize();
  if (number == SIGTSTP && typed) return stop_together(sandbox, terminal);
  const bool group = typed || number == SIGCONT;
  sandbox.signal(number, group ? Audience::CommandGroup : Audience::Command);
  if (number == SIGCONT) {
    terminal.enter_raw();
    terminal.resize();
  }
}

}  // namespace

int supervise(Bubblewrapped& sandbox, SignalInbox& signals, TerminalRelay& terminal,
              const std::vector<Errand>& errands) {
  enum : std::size_t { Exit, Signals, Master, Keyboard, Count };
  std::vector<pollfd> wait(Count);
  wait[Exit] = {sandbox.exit_descriptor(), POLLIN, 0};
  wait[Signals] = {signals.descriptor(), POLLIN, 0};
  for (const Errand& errand : errands)
    wait.push_back({errand.descriptor, POLLIN, 0});
  while (wait[Exit].revents == 0) {
    wait[Master] = {terminal.master(), terminal.master_events(), 0};
    wait[Keyboard] = {terminal.keyboard(), POLLIN, 0};
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    while (const auto info = signals.next())
      forward(*info, sandbox, terminal);
    if ((wait[Master].revents & POLLOUT) != 0) terminal.write_pending();
    if ((wait[Master].revents & (POLLIN | POLLHUP | POLLERR)) != 0) terminal.read_master();
    for (std::size_t i = 0; i < errands.size(); ++i) {
      if ((wait[Count + i].revents & POLLIN) != 0) errands[i].run();
      if ((wait[Count + i].revents & (POLLHUP | POLLERR)) != 0) wait[Count + i].fd = -1;
    }
    if (wait[Keyboard].revents != 0 && terminal.keyboard() >= 0) terminal.read_keyboard();
  }
  const int status = sandbox.reap();
  terminal.drain_master();
  return status;
}

}  // namespace egret
