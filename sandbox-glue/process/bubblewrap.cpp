#include "sandbox-glue/process/bubblewrap.h"

#include <array>
#include <functional>
#include <string_view>

#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/process/launch_image.h"
#include "sandbox-glue/process/seccomp_filter.h"

namespace egret {
namespace {

// Names the descriptor of a document with this content.
using NameDocument = std::function<std::string(std::string_view path, std::string_view content)>;

// The kernel lets root's uid write these without any capability, in a user namespace too.
// bubblewrap covers some, but takes a folder that says it is read-only, as /proc/sys does, at its
// word.
constexpr std::array kernel_controls{"/proc/sys",  "/proc/sysrq-trigger", "/proc/fs",
                                     "/proc/acpi", "/proc/scsi",          "/proc/mtrr",
                                     "/proc/irq",  "/proc/bus",           "/proc/driver"};

class Options {
 public:
  explicit Options(NameDocument name_document) : name_document_(std::move(name_document)) {}

  void add(std::initializer_list<std::string> words) {
    words_.insert(words_.end(), words.begin(), words.end());
  }

  void add_mount(const Mount& mount) {
    switch (mount.kind) {
      case Mount::Kind::EmptyShared:
        return add({"--perms", "1777", "--tmpfs", mount.path});
      case Mount::Kind::EmptyPrivate:
        return add({"--perms", "0700", "--tmpfs", mount.path});
      case Mount::Kind::Writable:
        return add({"--bind", mount.path, mount.path});
      case Mount::Kind::Content:
        return add({"--perms", "0444", "--ro-bind-data", name_document_(mount.path, mount.content),
                    mount.path});
      case Mount::Kind::MaskDirectory:
        return add({"--perms", "0555", "--tmpfs", mount.path, "--remount-ro", mount.path});
      case Mount::Kind::MaskFile:
        return add({"--ro-bind", "/dev/null", mount.path});
    }
  }

  // Namespaces and power first, then the file system from the root upwards, deeper over shallower.
  void add_all(const FilesystemPlan& plan, const HostView& host, const std::string& seccomp) {
    add({"--unshare-user", "--uid", std::to_string(host.uid), "--gid", std::to_string(host.gid),
         "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
         "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--seccomp", seccomp});
    add({"--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"});
    for (const char* tree : kernel_controls)
      add({"--ro-bind-try", tree, tree});
    for (const Mount& mount : plan.mounts)
      add_mount(mount);
    add({"--perms", "0555", "--ro-bind-data", name_document_(launch_path, launch_image()),
         launch_path, "--chdir", plan.working_directory});
  }

  const std::vector<std::string>& words() const { return words_; }

 private:
  NameDocument name_document_;
  std::vector<std::string> words_;
};

}  // namespace

Result<BubblewrapCall, SetupFault> make_bubblewrap_call(const std::string& bwrap_path,
                                                        const FilesystemPlan& plan,
                                                        const HostView& host, int channel) {
  BubblewrapCall call;
  Result<void, SetupFault> outcome;
  const auto keep = [&](Result<UniqueFd, SetupFault> document) -> std::string {
    if (!document) {
      outcome = document.error();
      return "-1";
    }
    call.documents.push_back(std::move(*document));
    return std::to_string(call.documents.back().get());
  };
  Options options([&](std::string_view, std::string_view content) {
    return keep(make_memory_file("egret-document", content));
  });
  options.add_all(plan, host, keep(make_seccomp_filter()));
  std::string joined;
  for (const auto& word : options.words())
    joined.append(word).push_back('\0');
  const std::string arguments = keep(make_memory_file("egret-bwrap-arguments", joined));
  if (!outcome) return outcome.error();
  call.argv = {bwrap_path, "--args", arguments, "--", launch_path, std::to_string(channel)};
  return call;
}

std::vector<std::string> describe_bubblewrap_options(const FilesystemPlan& plan,
                                                     const HostView& host) {
  Options options([](std::string_view, std::string_view content) {
    return "<" + std::to_string(content.size()) + " bytes>";
  });
  options.add_all(plan, host, "<filter>");
  return options.words();
}

}  // namespace egret
