#include "certs/private_directory.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "certs/read_to_end.h"
#include "policy/secret/secret.h"

namespace egret {
namespace {

constexpr mode_t group_and_other_bits = 077;

std::string reason(int error) {
  return std::generic_category().message(error);
}

FileFault fault(const std::string& path, const std::string& what) {
  return FileFault{path + ": " + what};
}

Result<void, FileFault> make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error = errno;
      return fault(part, "cannot make the directory: " + reason(error));
    }
    if (slash == std::string::npos) return {};
  }
}

Result<void, FileFault> check_private(int descriptor, const std::string& path, mode_t type) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return fault(path, reason(errno));
  const bool directory = type == S_IFDIR;
  if ((status.st_mode & S_IFMT) != type) return fault(path, "not a regular file; remove it");
  if (status.st_uid != ::geteuid()) {
    return fault(path, "belongs to user " + std::to_string(status.st_uid) + ", not to user " +
                           std::to_string(::geteuid()) + " who runs this; use a path of your own");
  }
  if ((status.st_mode & group_and_other_bits) != 0) {
    return fault(path,
                 std::string("other users could have read or changed it; if you trust it still, "
                             "run `chmod ") +
                     (directory ? "700 " : "600 ") + path + "`");
  }
  return {};
}

Result<void, FileFault> write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fault(path, "cannot write: " + reason(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(descriptor) != 0) return fault(path, "cannot write: " + reason(errno));
  return {};
}

}  // namespace

Result<PrivateDirectory, FileFault> PrivateDirectory::open(const std::string& path,
                                                           Missing missing) {
  if (path.empty()) return FileFault{"no directory given"};
  if (missing == Missing::create) {
    if (auto made = make_directories(path); !made) return made.error();
  }
  UniqueFd descriptor{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (descriptor.get() < 0) {
    if (errno == ENOTDIR || errno == ELOOP) {
      return fault(path, "is a link or no directory; give the directory's real path");
    }
    return fault(path, "cannot open the directory: " + reason(errno));
  }
  if (auto checked = check_private(descriptor.get(), path, S_IFDIR); !checked) {
    return checked.error();
  }
  while (::flock(descriptor.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fault(path, "cannot lock: " + reason(errno));
  }
  return PrivateDirectory{std::move(descriptor), path};
}

PrivateDirectory::PrivateDirectory(UniqueFd descriptor, std::string path)
    : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

Result<std::optional<std::string>, FileFault> PrivateDirectory::read(const std::string& name,
                                                                     std::size_t bytes_max) const {
  const std::string path = path_of(name);
  // O_NONBLOCK: a FIFO in the file's place must not block the start.
  const UniqueFd file{
      ::openat(descriptor_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (file.get() < 0) {
    if (errno == ENOENT) return std::optional<std::string>{};
    if (errno == ELOOP) return fault(path, "is a symbolic link; remove it");
    return fault(path, "cannot open: " + reason(errno));
  }
  if (auto checked = check_private(file.get(), path, S_IFREG); !checked) return checked.error();
  std::string bytes;
  const ReadEnd end = read_to_end(file.get(), bytes_max, bytes);
  if (end != ReadEnd::end_of_file) {
    wipe(bytes);
    return fault(path, end == ReadEnd::too_long
                           ? "larger than " + std::to_string(bytes_max) + " bytes; remove it"
                           : std::string("cannot be read"));
  }
  return std::optional<std::string>{std::move(bytes)};
}

Result<void, FileFault> PrivateDirectory::write_new(const std::string& name,
                                                    std::string_view bytes) const {
  const std::string path = path_of(name);
  const UniqueFd file{::openat(descriptor_.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (file.get() < 0) return fault(path, "cannot make the file: " + reason(errno));
  return write_all(file.get(), bytes, path);
}

Result<void, FileFault> PrivateDirectory::create(const std::string& name,
                                                 std::string_view bytes) const {
  const std::string half_written = name + ".part";
  if (auto removed = remove(half_written); !removed) return removed.error();
  if (auto written = write_new(half_written, bytes); !written) return written.error();
  // A hard link is refused where the name is taken: O_EXCL for a file that is complete.
  const int linked =
      ::linkat(descriptor_.get(), half_written.c_str(), descriptor_.get(), name.c_str(), 0) == 0
          ? 0
          : errno;
  if (auto removed = remove(half_written); !removed) return removed.error();
  if (linked != 0) return fault(path_of(name), "cannot make the file: " + reason(linked));
  return sync();
}

Result<void, FileFault> PrivateDirectory::replace(const std::string& name,
                                                  std::string_view bytes) const {
  const std::string half_written = name + ".part";
  if (auto removed = remove(half_written); !removed) return removed.error();
  if (auto written = write_new(half_written, bytes); !written) return written.error();
  return rename(half_written, name);
}

Result<void, FileFault> PrivateDirectory::rename(const std::string& from,
                                                 const std::string& to) const {
  if (::renameat(descriptor_.get(), from.c_str(), descriptor_.get(), to.c_str()) != 0) {
    return fault(path_of(to), "cannot replace: " + reason(errno));
  }
  return sync();
}

Result<void, FileFault> PrivateDirectory::remove(const std::string& name) const {
  if (::unlinkat(descriptor_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fault(path_of(name), "cannot remove: " + reason(errno));
}

Result<void, FileFault> PrivateDirectory::sync() const {
  if (::fsync(descriptor_.get()) != 0) return fault(path_, "cannot write: " + reason(errno));
  return {};
}

}  // namespace egret
