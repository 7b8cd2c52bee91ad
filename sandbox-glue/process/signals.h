// The signals that a command should get instead of the gate that started it.
#pragma once

#include <csignal>
#include <optional>
#include <sys/signalfd.h>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// While it lives, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP and SIGWINCH
// are blocked in the thread that made it (and in threads started by it later) and wait to be read.
// SIGHUP, SIGINT and SIGQUIT are left alone where they are ignored, as under nohup.
class SignalInbox {
 public:
  static Result<SignalInbox, SetupFault> open();

  SignalInbox(SignalInbox&& other) noexcept;
  SignalInbox& operator=(SignalInbox&&) = delete;
  ~SignalInbox();  // in the same thread

  int descriptor() const { return descriptor_.get(); }
  std::optional<signalfd_siginfo> next();  // never blocks

 private:
  SignalInbox(UniqueFd descriptor, const sigset_t& before);

  UniqueFd descriptor_;
  sigset_t before_;
};

}  // namespace egret
