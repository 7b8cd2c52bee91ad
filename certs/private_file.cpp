#include "certs/private_file.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "certs/read_to_end.h"
#include "policy/secret/secret.h"
#include "policy/unique_fd.h"

namespace egret {
namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::string too_large(std::size_t bytes_max) {
  return "larger than " + std::to_string(bytes_max / 1024) + " KiB";
}

// Why this file is no place for a secret.
std::optional<std::string> unfit(const struct stat& status, const std::string& path,
                                 std::size_t bytes_max, GroupBits group) {
  const bool mask = group == GroupBits::may_be_a_mask && status.st_uid == 0 && status.st_gid == 0;
  const mode_t refused = mask ? 037 : 077;
  if (!S_ISREG(status.st_mode)) return "not a regular file; give the path of the file itself";
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return "belongs to user " + std::to_string(status.st_uid) + "; use a file of your own";
  }
  if ((status.st_mode & refused) != 0) {
    return "other users may read or change it; run `chmod 600 " + path + "`";
  }
  if (status.st_size > static_cast<off_t>(bytes_max)) return too_large(bytes_max);
  return std::nullopt;
}

bool unchanged(const struct stat& before, int descriptor) {
  struct stat after {};
  return ::fstat(descriptor, &after) == 0 && after.st_size == before.st_size &&
         after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
         after.st_mtim.tv_nsec == before.st_mtim.tv_nsec;
}

}  // namespace

Result<std::string, FileFault> read_private_file(const std::string& path, std::size_t bytes_max,
                                                 GroupBits group) {
  // O_NONBLOCK: a FIFO in the file's place must not block the start.
  const UniqueFd file{
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (file.get() < 0) {
    const int error = errno;
    if (error == ELOOP) return FileFault{"is a symbolic link; give the path of the file itself"};
    return FileFault{"cannot be opened: " + reason(error)};
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return FileFault{reason(errno)};
  if (auto why = unfit(status, path, bytes_max, group)) return FileFault{std::move(*why)};
  std::string raw;
  const ReadEnd end = read_to_end(file.get(), bytes_max, raw);
  if (end != ReadEnd::end_of_file || !unchanged(status, file.get())) {
    wipe(raw);
    return FileFault{end == ReadEnd::too_long ? too_large(bytes_max)
                     : end == ReadEnd::failed ? std::string("cannot be read")
                                              : "changed while it was read; start again"};
  }
  return {boost::system::in_place_value, std::move(raw)};
}

}  // namespace egret
