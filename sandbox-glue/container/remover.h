// Ends and removes a container, and the folder made for it, when its gate is done or dead.
//
// A small process that waits: nothing else is left to do it after kill -9. podman's containers live
// on by themselves.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

class Remover {
 public:
  // `command` (argv[0] an absolute path) must succeed where there is nothing to remove, too.
  // REQUIRES: a single-threaded process.
  static Result<Remover, SetupFault> start(std::vector<std::string> command, std::string folder);

  Remover(Remover&& other) noexcept;
  Remover& operator=(Remover&&) = delete;
  ~Remover() { finish(); }

  void begin() noexcept;   // from any thread; idempotent
  bool finish() noexcept;  // begins, and waits; whether all is gone

 private:
  Remover(pid_t child, UniqueFd word) : child_(child), word_(std::move(word)) {}

  pid_t child_;
  UniqueFd word_;
  bool removed_ = false;
};

}  // namespace egret
