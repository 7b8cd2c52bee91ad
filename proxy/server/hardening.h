// What a process that holds secrets does for itself before it serves (ATTACKS F09, J08).
#pragma once

#include <signal.h>

namespace egret {

// No core dump, not traceable by other processes of the same user.
void protect_memory();

// To the hard limit: a gate holds two descriptors for each connection.
void raise_descriptor_limit();

// Blocks all signals for the threads that are started while it stands; restore() gives the calling
// thread back what it had.
class SignalsBlocked {
 public:
  SignalsBlocked();
  void restore() const;

 private:
  sigset_t before_;
};

}  // namespace egret
