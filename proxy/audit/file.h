// The audit file as the writer sees it: opened with care, appended to by whole lines, mended where
// a write broke off, opened again where it was rotated away. One thread uses it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "proxy/audit/log.h"
#include "proxy/audit/slot.h"
#include "proxy/audit/system.h"

namespace egret {

class AuditFile {
 public:
  // Creates missing parent directories (0700) and the file (0600). Refuses: a symlink; a file with
  // other hard links, of another user than us or root, or that group or others may write; a
  // directory that everybody may write unless it is sticky; a FIFO that nobody reads; anything that
  // is neither a regular file nor a FIFO nor a character device. Group-writable directories and
  // directories of other users are accepted (bind mounts, user-private groups); the chain is what
  // shows tampering.
  static Result<AuditFile, AuditFault> open(const std::string& path, AuditSystem& system);

  // The slot's last record in this file, where there is one.
  const std::optional<Chain>& last() const { return last_; }
  unsigned slot() const { return slot_; }

  struct Appended {
    std::size_t lines = 0;  // that are in the file, whole
    int error = 0;          // errno of what stopped it, 0 where all lines are in
  };
  // One write(2) for all lines. `text` begins with a newline that is written only where the file
  // does not end with one; `line_ends` are the offsets behind each line. What was written of a line
  // that broke off is cut away again, or closed by the next write where somebody else writes here
  // too.
  Appended append(std::string_view text, const std::vector<std::size_t>& line_ends);

  // Whether the path still names this file. `file_removed` is cheap and asked before every write.
  bool removed() const;
  bool replaced() const;
  // Opens the path again, keeping the slot where it can. Leaves all as it was where that fails.
  std::optional<AuditFault> reopen();
  // A FIFO's reader or a device may come back only to a new descriptor.
  bool is_stream() const { return !regular_; }

 private:
  AuditFile(std::string path, AuditSystem& system) : path_(std::move(path)), system_(&system) {}
  std::optional<AuditFault> open_once(unsigned wanted_slot);
  void note_torn();
  void mend(std::size_t torn_bytes);

  std::string path_;
  AuditSystem* system_;
  UniqueFd fd_;
  struct stat identity_ {};
  bool regular_ = true;
  bool torn_ = false;  // the file does not end with a newline, by our doing or before us
  unsigned slot_ = 0;
  std::optional<Chain> last_;
};

}  // namespace egret
