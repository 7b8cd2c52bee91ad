// A new folder that only this user may look into, gone with its owner.
#pragma once

#include <string>
#include <string_view>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

class PrivateFolder {
 public:
  // In $XDG_RUNTIME_DIR, else /run where we may write there, else /tmp.
  static Result<PrivateFolder, SetupFault> make();

  PrivateFolder(PrivateFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();

  const std::string& path() const { return path_; }

  // `mode` 0444 and 0555 for what is shown inside, where other users may be.
  Result<void, SetupFault> add_file(const std::string& name, std::string_view content,
                                    unsigned mode) const;
  Result<void, SetupFault> add_folder(const std::string& name) const;

 private:
  explicit PrivateFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace egret
