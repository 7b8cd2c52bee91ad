#include "proxy/audit/file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace egret {
namespace {

AuditFault fault(const std::string& path, const std::string& what) {
  return AuditFault{"audit file " + path + ": " + what};
}

std::string remedy(int error) {
  switch (error) {
    case ELOOP:
      return "is a symbolic link; name the file itself in `audit.file`";
    case EACCES:
    case EPERM:
      return "no permission; choose another `audit.file` or change its owner";
    case EROFS:
      return "the file system is read-only; choose another `audit.file`";
    case ENOSPC:
    case EDQUOT:
      return "no space left; make room or choose another `audit.file`";
    case ENXIO:
      return "is a FIFO that nobody reads (or a socket); start its reader first";
    case EISDIR:
      return "is a directory; name a file in it";
    case ENOTDIR:
      return "a part of the path is no directory";
    default:
      return std::generic_category().message(error);
  }
}

std::optional<AuditFault> prepare_directory(const std::string& path) {
  const auto directory = std::filesystem::absolute(path).parent_path();
  std::filesystem::path made;
  for (const auto& part : directory) {
    made /= part;
    struct stat status {};
    if (::stat(made.c_str(), &status) == 0) continue;
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) {
      return fault(path, "cannot make directory " + made.string() + ": " + remedy(errno));
    }
  }
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return fault(path, remedy(errno));
  if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
    return fault(path, "everybody may write its directory; run chmod o-w " + directory.string());
  }
  return std::nullopt;
}

std::optional<AuditFault> check_kind(const std::string& path, const struct stat& status) {
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) return std::nullopt;
  if (!S_ISREG(status.st_mode)) return fault(path, "is neither a file nor a FIFO");
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fault(path, "belongs to another user; choose another `audit.file` or run chown");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fault(path, "others may write it; run chmod 600 " + path);
  }
  if (status.st_nlink > 1)
    return fault(path, "has other hard links; remove them or choose another");
  return std::nullopt;
}

}  // namespace

Result<AuditFile, AuditFault> AuditFile::open(const std::string& path, AuditSystem& system) {
  if (path.empty()) return fault("``", "no path; set `audit.file`");
  AuditFile file(path, system);
  if (auto failed = file.open_once(0)) return *failed;
  return file;
}

std::optional<AuditFault> AuditFile::open_once(unsigned wanted_slot) {
  if (auto failed = prepare_directory(path_)) return failed;
  struct stat before {};
  const bool exists = ::lstat(path_.c_str(), &before) == 0;
  // Only a regular file is read back; O_RDWR on a FIFO would succeed without any reader.
  const bool stream = exists && !S_ISREG(before.st_mode);
  const int flags = (stream ? O_WRONLY | O_NONBLOCK : O_RDWR | O_CREAT) | O_APPEND | O_CLOEXEC |
                    O_NOFOLLOW | O_NOCTTY;
  UniqueFd fd(system_->open(path_.c_str(), flags, 0600));
  if (!fd) return fault(path_, remedy(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fault(path_, remedy(errno));
  if (auto failed = check_kind(path_, status)) return failed;
  if (S_ISREG(status.st_mode) == stream) return fault(path_, "changed while it was opened");

  std::optional<unsigned> slot;
  {
    const OpeningLock opening(fd.get(), !stream);
    slot = take_slot(fd.get(), wanted_slot, !stream);
  }
  if (!slot) return fault(path_, "no writer slot is free, or its file system has no locks");
  fd_ = std::move(fd);
  identity_ = status;
  regular_ = !stream;
  slot_ = *slot;
  last_ = last_record(fd_.get(), slot_);
  torn_ = regular_;  // looked at before the first write
  return std::nullopt;
}

void AuditFile::note_torn() {
  struct stat status {};
  char last = '\n';
  if (regular_ && ::fstat(fd_.get(), &status) == 0 && status.st_size > 0 &&
      ::pread(fd_.get(), &last, 1, status.st_size - 1) != 1) {
    last = 0;  // unreadable: an empty line does less harm than two records in one
  }
  torn_ = regular_ ? last != '\n' : torn_;
}

AuditFile::Appended AuditFile::append(std::string_view text,
                                      const std::vector<std::size_t>& line_ends) {
  if (torn_) note_torn();
  Appended result;
  std::size_t done = 1;  // offset behind the last whole line, or behind the leading newline
  while (done < text.size()) {
    const std::size_t begin = torn_ ? done - 1 : done;
    const ssize_t wrote = system_->write(fd_.get(), text.data() + begin, text.size() - begin);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      result.error = wrote < 0 ? errno : EIO;
      return result;
    }
    const std::size_t end = begin + static_cast<std::size_t>(wrote);
    torn_ = text[end - 1] != '\n';
    const auto whole = std::upper_bound(line_ends.begin(), line_ends.end(), end);
    const auto lines = static_cast<std::size_t>(whole - line_ends.begin());
    const std::size_t now = lines == 0 ? 1 : line_ends[lines - 1];
    if (torn_) mend(end - now);
    if (now == done && end < text.size()) {  // not even one line: no use to go on
      result.error = ENOSPC;
      return result;
    }
    done = now;
    result.lines = lines;
  }
  return result;
}

// A second writer's record may stand behind ours already, or come any moment: then the torn line
// stays and the next write closes it.
void AuditFile::mend(std::size_t torn_bytes) {
  if (!regular_) return;
  const OpeningLock opening(fd_.get(), false);
  if (!opening.held() || other_writers(fd_.get())) return;
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return;
  if (status.st_size != ::lseek(fd_.get(), 0, SEEK_CUR)) return;
  if (system_->truncate(fd_.get(), status.st_size - static_cast<off_t>(torn_bytes)) != 0) return;
  torn_ = false;
}

bool AuditFile::removed() const {
  struct stat status {};
  return regular_ && (::fstat(fd_.get(), &status) != 0 || status.st_nlink == 0);
}

bool AuditFile::replaced() const {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) return true;
  return status.st_dev != identity_.st_dev || status.st_ino != identity_.st_ino;
}

std::optional<AuditFault> AuditFile::reopen() {
  // The same FIFO again: our old descriptor would hold the slot against the new one.
  if (!regular_) fd_.reset();
  return open_once(slot_);
}

}  // namespace egret
