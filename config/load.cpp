#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/yaml/source_check.h"
#include "policy/secret/secret.h"
#include "policy/unique_fd.h"

namespace egret {
namespace {

struct Fault {
  std::string what;
  std::string instead;
};

std::string system_words(int error) {
  return std::strerror(error);
}

Fault open_fault(int error, const std::string& path) {
  if (error == ENOENT || error == ENOTDIR) {
    return {"there is no such file", "make one with `egret init config`, or correct the path"};
  }
  return {"cannot be read: " + system_words(error), "check `ls -l " + path + "`"};
}

// Whoever can write the policy can open the gate (ATTACKS J06).
std::optional<Fault> ownership_fault(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) return Fault{"is not a regular file", "give a file"};
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return Fault{"belongs to another user", "`chown` it to the user that runs Egret, or to root"};
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fault{"can be written by others than its owner", "run `chmod go-w " + path + "`"};
  }
  struct stat folder {};
  const auto parent = std::filesystem::path(path).parent_path();
  if (::stat(parent.empty() ? "." : parent.c_str(), &folder) == 0 &&
      (folder.st_mode & S_IWOTH) != 0 && (folder.st_mode & S_ISVTX) == 0) {
    return Fault{"stands in a folder where everybody can replace it",
                 "run `chmod o-w` on the folder"};
  }
  return std::nullopt;
}

Result<std::string, Fault> read_text(const std::string& path) {
  // Not blocking: a FIFO must not hold the start up.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return open_fault(errno, path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return open_fault(errno, path);
  if (auto fault = ownership_fault(status, path)) return std::move(*fault);
  // One byte more than allowed, so that parsing sees and reports a file that is too large.
  std::string text(yaml::file_bytes_max + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return open_fault(errno, path);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  text.resize(filled);
  return {boost::system::in_place_value, std::move(text)};
}

bool exists(const std::string& path) {
  struct stat status {};
  // A file that is there but cannot be reached is for load_config to complain about.
  return ::lstat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

}  // namespace

Result<Config, ConfigErrors> load_config(const std::string& path, const ConfigPlaces& places) {
  auto text = read_text(path);
  if (!text) return ConfigErrors{{path, 0, 0, text.error().what, text.error().instead}};
  auto config = parse_config(*text, path, places);
  wipe(*text);  // `origins.via` may hold a password
  return config;
}

std::optional<std::string> find_config(const std::optional<std::string>& given,
                                       const ConfigPlaces& places) {
  if (given) return given;
  if (exists("egret.yaml")) return "egret.yaml";
  std::string folder = places.xdg_config_home;
  if (folder.empty() && !places.home.empty()) folder = places.home + "/.config";
  if (folder.empty()) return std::nullopt;
  std::string path = folder + "/egret/egret.yaml";
  if (!exists(path)) return std::nullopt;
  return path;
}

}  // namespace egret
