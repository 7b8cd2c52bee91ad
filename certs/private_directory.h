// A directory that only its owner can enter, and small files in it that only its owner can read: a
// CA key, placeholders, tokens. What others could have read or replaced is refused with words that
// say what to do, never repaired (ATTACKS J01, J11).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/unique_fd.h"

namespace egret {

// What is wrong with which path, and what to do.
struct FileFault {
  std::string what;
};

// Holds the directory's lock for as long as it lives, so that processes (and threads) that use the
// same directory take turns; keep one only for the few milliseconds that the files take.
class PrivateDirectory {
 public:
  enum class Missing { refuse, create };

  // A real directory, not a link, ours, without any group or other bits. `create` makes it, and its
  // missing parents, 0700.
  static Result<PrivateDirectory, FileFault> open(const std::string& path, Missing missing);

  // The file's bytes, or nothing where there is no such file. A link, anything but a regular file,
  // another owner, any group or other bit, or more than `bytes_max` is a fault. The caller wipes.
  Result<std::optional<std::string>, FileFault> read(const std::string& name,
                                                     std::size_t bytes_max) const;
  // A new 0600 file that is complete and on the disk; O_EXCL: a file of that name is a fault.
  Result<void, FileFault> create(const std::string& name, std::string_view bytes) const;
  // The same in place of what is there: readers see the old bytes or the new, and nothing between.
  Result<void, FileFault> replace(const std::string& name, std::string_view bytes) const;
  Result<void, FileFault> rename(const std::string& from, const std::string& to) const;
  // No such file is no fault.
  Result<void, FileFault> remove(const std::string& name) const;

  std::string path_of(const std::string& name) const { return path_ + "/" + name; }

 private:
  PrivateDirectory(UniqueFd descriptor, std::string path);
  Result<void, FileFault> write_new(const std::string& name, std::string_view bytes) const;
  Result<void, FileFault> sync() const;

  UniqueFd descriptor_;
  std::string path_;
};

}  // namespace egret
