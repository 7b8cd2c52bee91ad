#include "sandbox-glue/container/private_folder.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/unique_fd.h"

namespace egret {
namespace {

std::string parent_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/' && ::access(runtime, W_OK | X_OK) == 0) return runtime;
  return ::access("/run", W_OK | X_OK) == 0 ? "/run" : "/tmp";
}

}  // namespace

Result<PrivateFolder, SetupFault> PrivateFolder::make() {
  std::string path = parent_folder() + "/egret-container-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return system_fault("cannot make a folder", errno);
  return PrivateFolder(std::move(path));
}

PrivateFolder::~PrivateFolder() {
  std::error_code error;
  if (!path_.empty()) std::filesystem::remove_all(path_, error);
}

Result<void, SetupFault> PrivateFolder::add_file(const std::string& name, std::string_view content,
                                                 unsigned mode) const {
  const std::string path = path_ + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_fault("cannot write " + path, errno);
  while (!content.empty()) {
    const ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_fault("cannot write " + path, errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fchmod(file.get(), mode) != 0) return system_fault("cannot write " + path, errno);
  return {};
}

Result<void, SetupFault> PrivateFolder::add_folder(const std::string& name) const {
  const std::string path = path_ + "/" + name;
  if (::mkdir(path.c_str(), 0555) == 0) return {};
  return system_fault("cannot make " + path, errno);
}

}  // namespace egret
