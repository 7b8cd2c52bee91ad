// The verbs of the command line (DESIGN part 6), each a function from its flags to an exit status.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proxy/server/setup.h"
#include "sandbox-glue/devcontainer/templates.h"
#include "sandbox-glue/vm/machine.h"

namespace egret {

struct RunFlags : Flags {
  std::vector<std::string> writable;  // --rw
  std::vector<std::string> pass;      // --env
  std::vector<std::string> command;
  std::optional<std::string> container;        // --container IMAGE
  std::vector<std::string> container_options;  // --container-option
  bool vm = false;                             // --vm, and what it boots
  Machine machine;
  bool dry_run = false;
  bool quiet = false;
};
int run_verb(const RunFlags& flags);

int serve_verb(const std::optional<std::string>& config);

struct AttachFlags {
  std::optional<std::string> config;
  std::optional<std::string> sandbox;
  std::optional<std::string> netns;  // one of these three
  std::optional<int> pid;
  std::optional<std::string> container;
  bool oci_hook = false;  // what to attach, and as what, comes from a container runtime on stdin
  std::string tap;        // a guest's device in it; may be empty
  bool list = false;
  bool detach = false;
  bool dry_run = false;
  bool json = false;
};
int attach_verb(const AttachFlags& flags);
// Not for people: what attach_verb() starts. Its standard input is the keeper's socket.
int keeper_verb(const std::string& control_directory);

struct CheckFlags : Flags {
  std::string method = "GET";
  std::string url;
  bool json = false;
};
int check_verb(const CheckFlags& flags);

struct EnvFlags : Flags {
  std::optional<std::string> files;  // a directory for what the client trusts
  bool json = false;
  std::optional<std::string> proxy_at;  // HOST:PORT, where clients find the listener
};
int env_verb(const EnvFlags& flags);

struct CaFlags : Flags {
  bool rotate = false;
};
int ca_init_verb(const CaFlags& flags);
int ca_show_verb(const CaFlags& flags);
int ca_bundle_verb(const CaFlags& flags);

struct AuditFlags {
  std::optional<std::string> config;
  std::optional<std::string> file;
  std::optional<std::string> sandbox;
  std::optional<std::string> since;
  bool denied = false;
  bool json = false;
};
int audit_verb(const std::string& what, const AuditFlags& flags);  // show, tail, summary, verify

int config_check_verb(const std::optional<std::string>& config);
int config_show_verb(const Flags& flags);
int init_config_verb(const std::optional<std::string>& path, bool force);
// Into a folder of the project (default: the current one); what is there is kept without `force`.
int init_files_verb(StarterKind kind, const std::optional<std::string>& project, bool force);

int status_verb(const std::optional<std::string>& config, bool json);
int reload_verb(const std::optional<std::string>& config, bool json);

struct HostFlags {
  std::optional<std::string> config;
  std::optional<std::string> sandbox;
  std::optional<std::string> cgroup;
  std::vector<std::string> loopback_ports;
  std::string user;  // name or number; show: empty for all
  bool iptables = false;
  bool dry_run = false;
  bool json = false;
};
int host_apply_verb(const HostFlags& flags);
int host_remove_verb(const HostFlags& flags);
int host_show_verb(const HostFlags& flags);

// Says what went wrong and gives the exit code.
int fail(const Failure& failure);

}  // namespace egret
