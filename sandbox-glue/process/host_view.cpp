#include "sandbox-glue/process/host_view.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <pwd.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace egret {
namespace {

namespace fs = std::filesystem;

// Some accounts have their home among the system's own files. Emptying those would leave nothing to
// run, and they hold nothing of a person's.
constexpr std::array system_folders{"/usr", "/etc",  "/bin", "/sbin", "/lib", "/lib64",
                                    "/dev", "/proc", "/sys", "/boot", "/nix"};

bool is_system(const std::string& path) {
  return path == "/" || path == "/var" || path == "/opt" ||
         std::any_of(system_folders.begin(), system_folders.end(),
                     [&](const char* folder) { return is_within(path, folder); });
}

void add_directory(std::vector<std::string>& list, const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error || !fs::is_directory(real, error)) return;
  if (std::find(list.begin(), list.end(), real.string()) == list.end()) list.push_back(real);
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Where a chain of symbolic links ends, whether or not anything is there.
std::string follow_links(std::string path) {
  constexpr int links_max = 16;
  for (int i = 0; i < links_max; ++i) {
    std::error_code error;
    const fs::path folder = fs::canonical(fs::path(path).parent_path(), error);
    if (!error) path = folder / fs::path(path).filename();
    const fs::path next = fs::read_symlink(path, error);
    if (error) return path;
    path = (fs::path(path).parent_path() / next).lexically_normal();
  }
  return {};
}

std::vector<std::string> find_homes(uid_t uid, const std::string& home_variable) {
  std::vector<std::string> homes;
  if (!home_variable.empty() && home_variable.front() == '/') add_directory(homes, home_variable);
  if (const passwd* entry = ::getpwuid(uid); entry != nullptr && entry->pw_dir != nullptr) {
    add_directory(homes, entry->pw_dir);
  }
  add_directory(homes, "/home");
  add_directory(homes, "/root");
  std::erase_if(homes, is_system);
  return homes;
}

std::vector<std::string> existing_sockets() {
  std::vector<std::string> sockets;
  for (const std::string& path : bound_socket_paths(read_text("/proc/net/unix"))) {
    struct stat about {};
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (error || ::lstat(real.c_str(), &about) != 0 || !S_ISSOCK(about.st_mode)) continue;
    sockets.push_back(real);
  }
  std::sort(sockets.begin(), sockets.end());
  sockets.erase(std::unique(sockets.begin(), sockets.end()), sockets.end());
  return sockets;
}

}  // namespace

bool is_within(const std::string& path, const std::string& folder) {
  if (folder == "/") return true;
  return path.compare(0, folder.size(), folder) == 0 &&
         (path.size() == folder.size() || path[folder.size()] == '/');
}

// Other sources of host names are programs behind sockets in /run, which is private inside.
std::string rewrite_nsswitch(const std::string& text) {
  std::istringstream lines(text);
  std::string rewritten;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("hosts:", 0) != 0) rewritten.append(line).push_back('\n');
  }
  return rewritten + "hosts: files dns\n";
}

// Each line ends in the path that a socket is bound to, if any; '@' starts an abstract name, which
// a network namespace hides by itself.
std::vector<std::string> bound_socket_paths(const std::string& proc_net_unix) {
  std::istringstream lines(proc_net_unix);
  std::vector<std::string> paths;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(" /");
    if (at != std::string::npos) paths.push_back(line.substr(at + 1));
  }
  return paths;
}

HostView read_host(const std::vector<std::pair<std::string, std::string>>& environment) {
  HostView host;
  host.uid = ::geteuid();
  host.gid = ::getegid();
  for (const char* path : {"/tmp", "/var/tmp", "/run", "/var/run"}) {
    add_directory(host.scratch, path);
  }
  std::string home_variable;
  for (const auto& [name, value] : environment) {
    if (name == "HOME") home_variable = value;
  }
  host.homes = find_homes(host.uid, home_variable);
  host.private_home =
      host.homes.empty() || host.homes.front() == "/home" ? "/tmp" : host.homes.front();
  host.resolv_conf = follow_links("/etc/resolv.conf");
  if (const std::string text = read_text("/etc/nsswitch.conf"); !text.empty()) {
    host.nsswitch_conf = follow_links("/etc/nsswitch.conf");
    host.nsswitch_text = rewrite_nsswitch(text);
  }
  host.unix_sockets = existing_sockets();
  return host;
}

}  // namespace egret
