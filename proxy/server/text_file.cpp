#include "proxy/server/text_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace egret {
namespace {

Failure cannot(const char* what, const std::string& path, int error) {
  return {std::string("egret: cannot ") + what + " " + path + ": " + std::strerror(error), 2};
}

// The directory and its parents, 0700 where they are new.
void make_directories(const std::filesystem::path& directory) {
  if (directory.empty() || std::filesystem::exists(directory)) return;
  make_directories(directory.parent_path());
  ::mkdir(directory.c_str(), 0700);
}

}  // namespace

Result<void, Failure> make_private_directory(const std::string& path) {
  make_directories(path);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error))
    return cannot("make the directory", path, error ? error.value() : ENOTDIR);
  return {};
}

Result<void, Failure> touch_private_file(const std::string& path) {
  if (auto made = make_private_directory(std::filesystem::path(path).parent_path()); !made)
    return made;
  const int fd = ::open(path.c_str(),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0 && errno != ENXIO)
    return cannot("write", path, errno);  // ENXIO: a FIFO; the log says more
  if (fd >= 0) ::close(fd);
  return {};
}

Result<std::string, Failure> read_text_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return cannot("read", path, errno);
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) return cannot("read", path, EIO);
  return text.str();
}

Result<void, Failure> write_text_file(const std::string& path, const std::string& text,
                                      unsigned mode) {
  make_directories(std::filesystem::path(path).parent_path());
  const std::string beside = path + ".new." + std::to_string(::getpid());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return cannot("write", beside, errno);
  ::fchmod(fd, mode);  // whatever the umask: a service's is 0077
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(fd);
  if (!written || ::rename(beside.c_str(), path.c_str()) != 0) {
    const int cause = written ? errno : error;
    ::unlink(beside.c_str());
    return cannot("write", path, cause);
  }
  return {};
}

}  // namespace egret
