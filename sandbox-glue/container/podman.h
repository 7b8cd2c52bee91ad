// Runs podman, which works outside the sandbox with the caller's own environment and configuration.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

class Podman {
 public:
  static Result<Podman, SetupFault> find();

  enum class Words { Kept, Shown };  // what it says on stderr: for the fault, or for the person

  // Runs it to its end; what it printed. A fault carries its own words.
  Result<std::string, SetupFault> run(const std::vector<std::string>& arguments,
                                      Words words = Words::Kept) const;
  // Only whether it ended well.
  bool succeeds(const std::vector<std::string>& arguments) const;

  // Starts it with our own descriptors 0-2, every signal open.
  Result<pid_t, SetupFault> start(const std::vector<std::string>& arguments) const;

  // For a caller without root: the user namespace in which podman makes its containers.
  Result<UniqueFd, SetupFault> user_namespace() const;

  const std::string& path() const { return path_; }
  std::vector<std::string> command(const std::vector<std::string>& arguments) const;

 private:
  explicit Podman(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// Waits for a child: its exit status, 128+N when signal N killed it.
int exit_status_of_child(pid_t child);

}  // namespace egret
