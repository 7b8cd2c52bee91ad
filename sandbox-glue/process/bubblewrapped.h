// The running sandbox as the gate holds it: bubblewrap as our child, and the command.
//
// The child is process 1 of a process namespace that holds everything of the sandbox. The kernel
// ends all of it before the child's own end shows, so one descriptor and one wait are enough.
#pragma once

#include <string>
#include <sys/types.h>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/channel.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/process/launch_message.h"

namespace egret {

enum class Audience { Command, CommandGroup };

class Bubblewrapped {
 public:
  // Takes over a forked child; `words` is the memory file that holds what it says on stderr.
  Bubblewrapped(pid_t child, UniqueFd channel, UniqueFd words);
  ~Bubblewrapped();  // kills and reaps
  Bubblewrapped(const Bubblewrapped&) = delete;
  Bubblewrapped& operator=(const Bubblewrapped&) = delete;

  const UniqueFd& channel() const { return channel_; }

  // Lets the command start. Yields the sandbox's terminal if the order asks for one.
  Result<UniqueFd, SetupFault> launch(const LaunchOrder& order, const UniqueFd& image);

  int exit_descriptor() const { return child_pidfd_.get(); }  // readable when all is over
  int reap();  // blocks until all is gone; the command's exit status, 128+N when signal N killed it

  void signal(int number, Audience audience) noexcept;
  void kill() noexcept;  // from any thread

 private:
  Result<void, SetupFault> await_ready();
  Result<UniqueFd, SetupFault> await_started();
  SetupFault early_end() const;

  pid_t child_;
  UniqueFd child_pidfd_;
  UniqueFd channel_;
  UniqueFd words_;
  pid_t command_ = -1;
  UniqueFd command_pidfd_;
  bool reaped_ = false;
};

}  // namespace egret
