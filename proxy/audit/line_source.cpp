#include "proxy/audit/line_source.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace egret {

Result<LineSource, AuditFault> LineSource::open(const std::string& path) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    const std::string why = errno == ENOENT ? "does not exist; name it with --file"
                                            : std::generic_category().message(errno);
    return AuditFault{"audit file " + path + ": " + why};
  }
  if (!S_ISREG(status.st_mode)) return AuditFault{"audit file " + path + ": is not a regular file"};
  return LineSource(path, std::move(fd));
}

std::optional<Line> LineSource::next() {
  for (;;) {
    const auto end = buffer_.find('\n', scanned_);
    if (end != std::string::npos) {
      const std::size_t begin = begin_;
      begin_ = scanned_ = end + 1;
      if (std::exchange(skipping_, false)) continue;
      return Line{std::string_view(buffer_).substr(begin, end - begin), ++number_};
    }
    scanned_ = buffer_.size();
    if (skipping_) begin_ = scanned_;
    if (scanned_ - begin_ >= line_bytes_max) {
      const std::size_t begin = begin_;
      begin_ = scanned_;
      skipping_ = true;
      return Line{std::string_view(buffer_).substr(begin, line_bytes_max), ++number_};
    }
    if (!fill()) return std::nullopt;
  }
}

std::optional<Line> LineSource::rest() {
  if (begin_ == buffer_.size() || skipping_) return std::nullopt;
  const std::size_t begin = begin_;
  begin_ = scanned_ = buffer_.size();
  return Line{std::string_view(buffer_).substr(begin), ++number_};
}

bool LineSource::fill() {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + line_bytes_max);
  ssize_t got = -1;
  do {
    got = ::pread(fd_.get(), buffer_.data() + kept, line_bytes_max, offset_);
  } while (got < 0 && errno == EINTR);
  buffer_.resize(kept + static_cast<std::size_t>(got > 0 ? got : 0));
  if (got <= 0) return false;
  offset_ += got;
  return true;
}

void LineSource::skip_to(off_t offset) {
  if (offset <= 0) return;
  offset_ = offset - 1;  // where that is a newline, the line at `offset` is whole
  skipping_ = true;
}

off_t LineSource::size() const {
  struct stat status {};
  return ::fstat(fd_.get(), &status) == 0 ? status.st_size : 0;
}

bool LineSource::follow() {
  struct stat now {};
  struct stat mine {};
  if (::stat(path_.c_str(), &now) != 0 || ::fstat(fd_.get(), &mine) != 0) return false;
  const bool other = now.st_ino != mine.st_ino || now.st_dev != mine.st_dev;
  if (!other && mine.st_size >= offset_) return false;
  if (other) {
    auto opened = open(path_);
    if (!opened) return false;
    fd_ = std::move(opened->fd_);
  }
  buffer_.clear();
  begin_ = scanned_ = number_ = 0;
  offset_ = 0;
  skipping_ = false;
  return true;
}

}  // namespace egret
