// A process of its own that does what `egret run` does: starts a sandbox, serves its sockets with a
// fake gate, runs the command, and exits with its status (77 and "fault: ..." on stderr otherwise).
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "policy/unique_fd.h"
#include "sandbox-glue/process/process_sandbox.h"

namespace egret::test {

// Whether sandboxes can be had here. If not: says so, and fails when the variable CI is set.
bool sandbox_possible();

enum class Caller { Self, Nobody };  // Nobody needs root, and must not keep any of it
std::vector<Caller> callers();       // those that this process can be

// A new folder that goes with its owner, holding a folder `home`.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path(const std::string& name = {}) const;
  std::string make_directory(const std::string& name) const;
  std::string write(const std::string& name, const std::string& text) const;
  void give_to(Caller caller) const;  // recursively; does nothing without root

 private:
  std::filesystem::path path_;
};

// Call before fork(): ThreadSanitizer's _exit() writes what the child inherited unwritten.
void flush_output();

struct Stdio {
  int in = -1;  // -1: /dev/null
  int out = -1;
  int err = -1;
};

class GateProcess {
 public:
  GateProcess(const SandboxRequest& request, const Stdio& stdio, Caller caller = Caller::Self);
  ~GateProcess();  // kills it if it still runs
  GateProcess(const GateProcess&) = delete;
  GateProcess& operator=(const GateProcess&) = delete;

  pid_t pid() const { return pid_; }
  int wait();  // its exit status, or 128+N

  // What arrived at the fake gate; call after wait().
  std::vector<std::string> arrivals();

 private:
  [[noreturn]] void be_gate(const SandboxRequest& request, const Stdio& stdio, Caller caller);

  pid_t pid_ = -1;
  UniqueFd arrivals_;
  UniqueFd arrivals_in_;
};

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
  std::vector<std::string> arrivals;
};

// Runs to the end with `input` on standard input.
Outcome run_inside(const SandboxRequest& request, const std::string& input = {},
                   Caller caller = Caller::Self);

// A request to run `command` in `folder`, with a small environment whose HOME is `folder`/home.
// The folder becomes the caller's.
SandboxRequest request_for(const Folder& folder, std::vector<std::string> command,
                           Caller caller = Caller::Self);
SandboxRequest python_request(const Folder& folder, const std::string& script,
                              Caller caller = Caller::Self);

std::string read_to_end(int fd);

}  // namespace egret::test
