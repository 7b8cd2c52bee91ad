// What the sandbox's file system has to know about this host: read once, then pure planning.
#pragma once

#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace egret {

// All paths are absolute and free of symbolic links, and name something that exists.
struct HostView {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<std::string> scratch;       // /tmp, /var/tmp, /run: private inside
  std::vector<std::string> homes;         // hidden: /home, /root and the caller's own
  std::string private_home;               // empty inside; where a command without a folder runs
  std::string resolv_conf;                // where /etc/resolv.conf really is; may not exist yet
  std::string nsswitch_conf;              // the same; empty when the host has none
  std::string nsswitch_text;              // the host's, with `hosts: files dns`
  std::vector<std::string> unix_sockets;  // bound in the file system by some process
};

// `environment` is the command's: its HOME counts as a home beside the password database's.
HostView read_host(const std::vector<std::pair<std::string, std::string>>& environment);

// The parts of read_host() that turn text into values.
std::string rewrite_nsswitch(const std::string& text);
std::vector<std::string> bound_socket_paths(const std::string& proc_net_unix);

// Whether `path` is `folder` or lies below it. Both canonical.
bool is_within(const std::string& path, const std::string& folder);

}  // namespace egret
