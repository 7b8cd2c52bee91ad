// Reads an audit file line by line with bounded memory, and can go on where the file grows or is
// rotated away.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "proxy/audit/log.h"

namespace egret {

struct Line {
  std::string_view text;   // without its newline; until the next call
  std::size_t number = 0;  // from 1
};

class LineSource {
 public:
  static Result<LineSource, AuditFault> open(const std::string& path);

  // The next line that has its newline. A line over line_bytes_max is cut; it holds no record.
  std::optional<Line> next();
  // What stands behind the last newline, at the end of the file.
  std::optional<Line> rest();

  // Goes to the first line that begins at or behind `offset`; its number is then unknown (1).
  void skip_to(off_t offset);
  off_t size() const;
  // The path names another file now, or this one was truncated: goes on at its beginning. Asked
  // once next() finds nothing more. Returns whether there is a new beginning.
  bool follow();
  int fd() const { return fd_.get(); }

  static constexpr std::size_t line_bytes_max = 64 * 1024;

 private:
  LineSource(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  bool fill();

  std::string path_;
  UniqueFd fd_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of what is not handed out yet
  std::size_t scanned_ = 0;  // no newline before this
  std::size_t number_ = 0;
  off_t offset_ = 0;       // read up to here
  bool skipping_ = false;  // inside the cut part of a long line
};

}  // namespace egret
