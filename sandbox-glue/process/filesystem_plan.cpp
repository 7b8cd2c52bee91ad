#include "sandbox-glue/process/filesystem_plan.h"

#include <algorithm>
#include <deque>
#include <filesystem>

namespace egret {
namespace {

namespace fs = std::filesystem;

constexpr const char* resolv_conf_text = "nameserver 127.0.0.1\noptions edns0 trust-ad\n";

bool any_within(const std::vector<std::string>& paths, const std::string& folder) {
  return std::any_of(paths.begin(), paths.end(),
                     [&](const std::string& path) { return is_within(path, folder); });
}

bool contains(const std::vector<std::string>& paths, const std::string& path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

bool in_kernel_tree(const std::string& path) {
  return is_within(path, "/proc") || is_within(path, "/sys") || is_within(path, "/dev");
}

class Planner {
 public:
  Planner(const SandboxRequest& request, const HostView& host) : request_(request), host_(host) {
    private_ = host.scratch;
    private_.insert(private_.end(), host.homes.begin(), host.homes.end());
    std::sort(private_.begin(), private_.end());
    private_.erase(std::unique(private_.begin(), private_.end()), private_.end());
  }

  Result<FilesystemPlan, SetupFault> plan() {
    choose_working_directory();
    if (auto r = choose_writable(); !r) return r.error();
    if (auto r = choose_masks(); !r) return r.error();
    add_folders();
    if (auto r = add_contents(); !r) return r.error();
    plan_.mounts.insert(plan_.mounts.end(), masks_.begin(), masks_.end());
    return std::move(plan_);
  }

 private:
  void add(Mount::Kind kind, std::string path, std::string content = {}) {
    plan_.mounts.push_back({kind, std::move(path), std::move(content)});
  }

  // A folder that holds something private would bring it back by being mounted over it.
  void choose_working_directory() {
    std::error_code error;
    const std::string path = fs::canonical(request_.working_directory, error);
    if (!error && fs::is_directory(path, error) && !any_within(private_, path) &&
        !in_kernel_tree(path)) {
      plan_.working_directory = path;
      writable_.push_back(path);
      return;
    }
    plan_.working_directory = host_.private_home;
    plan_.notes.push_back("the working directory " + request_.working_directory +
                          " is not shown to the command, which starts in an empty private " +
                          host_.private_home +
                          "; start from a project's folder, or name what it may write with --rw");
  }

  Result<void, SetupFault> choose_writable() {
    for (const std::string& wanted : request_.writable_paths) {
      std::error_code error;
      const std::string path = fs::canonical(wanted, error);
      if (error) return SetupFault{"--rw " + wanted + ": " + error.message(), {}};
      if (is_within("/run", path) || in_kernel_tree(path)) {
        return SetupFault{"--rw " + wanted + " would open the host itself",
                          "name the folders that the command has to write"};
      }
      writable_.push_back(path);
    }
    std::sort(writable_.begin(), writable_.end());
    writable_.erase(std::unique(writable_.begin(), writable_.end()), writable_.end());
    return {};
  }

  // The deepest mount over a path decides whether it shows the host's file.
  bool is_visible(const std::string& path) const {
    std::size_t hidden_depth = 0;
    std::size_t shown_depth = 1;
    for (const auto& folder : private_) {
      if (is_within(path, folder)) hidden_depth = std::max(hidden_depth, folder.size() + 1);
    }
    for (const auto& folder : writable_) {
      if (is_within(path, folder)) shown_depth = std::max(shown_depth, folder.size() + 1);
    }
    return shown_depth >= hidden_depth && !in_kernel_tree(path);
  }

  Result<void, SetupFault> choose_masks() {
    for (const std::string& wanted : request_.hidden_paths) {
      if (auto r = hide(wanted); !r) return r;
    }
    // Only now: what is visible and what can be moved depends on what the request itself names.
    writable_.insert(writable_.end(), pinned_.begin(), pinned_.end());
    std::sort(writable_.begin(), writable_.end());
    writable_.erase(std::unique(writable_.begin(), writable_.end()), writable_.end());
    for (const std::string& path : host_.unix_sockets) {
      if (is_visible(path)) masks_.push_back({Mount::Kind::MaskFile, path, {}});
    }
    const auto by_path = [](const Mount& a, const Mount& b) { return a.path < b.path; };
    std::stable_sort(masks_.begin(), masks_.end(), by_path);
    drop_masks_inside_masks();
    return {};
  }

  // The first link on the way to `wanted` that the command could replace by something of its own.
  std::string replaceable_link(const std::string& wanted) const {
    constexpr int links_max = 40;  // as in the kernel
    const fs::path whole = fs::path(wanted).relative_path();
    std::deque<fs::path> parts(whole.begin(), whole.end());
    fs::path walked = "/";
    for (int links = 0; !parts.empty() && links < links_max;) {
      const fs::path part = parts.front();
      parts.pop_front();
      if (part.empty() || part == ".") continue;
      std::error_code error;
      const fs::path next = part == ".." ? walked.parent_path() : walked / part;
      const fs::path target = part == ".." ? fs::path() : fs::read_symlink(next, error);
      if (error || target.empty()) {
        walked = next;
        continue;
      }
      if (any_containing(writable_, walked) && is_visible(walked)) return next;
      ++links;
      if (target.is_absolute()) walked = "/";
      const fs::path rest = target.relative_path();
      parts.insert(parts.begin(), rest.begin(), rest.end());
    }
    return {};
  }

  // A folder above a mask could be moved away together with it, and another be made where the gate
  // looks next time. What is a mount itself cannot be moved.
  void pin_folders_above(const fs::path& path) {
    for (fs::path at = path.parent_path(); at != at.parent_path(); at = at.parent_path()) {
      const bool mounted = contains(writable_, at) || contains(private_, at);
      if (!mounted && any_containing(writable_, at) && is_visible(at)) pinned_.push_back(at);
    }
  }

  Result<void, SetupFault> hide(const std::string& wanted) {
    if (const std::string link = replaceable_link(wanted); !link.empty()) {
      return SetupFault{wanted + " must stay hidden, but leads through the link " + link +
                            ", which the command could replace",
                        "put the file itself in the link's place, or work in another folder"};
    }
    std::error_code error;
    const std::string path = fs::weakly_canonical(wanted, error);
    if (error) return {};  // what this user cannot look up, the command cannot either
    for (const auto& folder : writable_) {
      if (is_within(folder, path)) {
        return SetupFault{
            folder + " cannot be writable: it lies in " + path + ", which must stay hidden",
            "work in another folder"};
      }
    }
    if (!fs::exists(path, error)) {
      // Nothing can be mounted over it, and whoever creates it later shows it to the command.
      if (any_containing(writable_, path)) {
        return SetupFault{path + " must stay hidden but does not exist in a writable folder yet",
                          "create it first, or keep it elsewhere"};
      }
      return {};
    }
    if (!is_visible(path)) return {};
    const bool directory = fs::is_directory(path, error);
    masks_.push_back({directory ? Mount::Kind::MaskDirectory : Mount::Kind::MaskFile, path, {}});
    pin_folders_above(path);
    return {};
  }

  static bool any_containing(const std::vector<std::string>& folders, const std::string& path) {
    return std::any_of(folders.begin(), folders.end(),
                       [&](const std::string& folder) { return is_within(path, folder); });
  }

  // Below a masked directory there is nothing left to mount over.
  void drop_masks_inside_masks() {
    std::vector<Mount> kept;
    std::vector<std::string> folders;
    for (Mount& mask : masks_) {
      if (any_containing(folders, mask.path)) continue;
      folders.push_back(mask.path);
      kept.push_back(std::move(mask));
    }
    masks_ = std::move(kept);
  }

  // In the order of their paths, so that the deeper of two is the one that counts.
  void add_folders() {
    for (const auto& path : writable_)
      add(Mount::Kind::Writable, path);
    for (const auto& path : private_) {
      if (contains(writable_, path)) continue;
      add(contains(host_.scratch, path) ? Mount::Kind::EmptyShared : Mount::Kind::EmptyPrivate,
          path);
    }
    std::sort(plan_.mounts.begin(), plan_.mounts.end(),
              [](const Mount& a, const Mount& b) { return a.path < b.path; });
  }

  // A file can be mounted where one is, or in a folder that is empty and ours.
  bool can_hold_file(const std::string& path) const {
    std::error_code error;
    if (!is_visible(path)) return true;
    return fs::exists(path, error) && !fs::is_directory(path, error);
  }

  Result<void, SetupFault> add_contents() {
    if (!host_.resolv_conf.empty() && can_hold_file(host_.resolv_conf)) {
      add(Mount::Kind::Content, host_.resolv_conf, resolv_conf_text);
    }
    if (!host_.nsswitch_conf.empty()) {
      add(Mount::Kind::Content, host_.nsswitch_conf, host_.nsswitch_text);
    }
    for (const SandboxFile& file : request_.files) {
      const std::string path = fs::path(file.path).lexically_normal();
      if (path.empty() || path.front() != '/' || !can_hold_file(path)) {
        return SetupFault{"no file can be put at " + file.path + " inside the sandbox",
                          "use a path below /run"};
      }
      add(Mount::Kind::Content, path, file.content);
    }
    return {};
  }

  const SandboxRequest& request_;
  const HostView& host_;
  FilesystemPlan plan_;
  std::vector<std::string> private_;
  std::vector<std::string> writable_;
  std::vector<std::string> pinned_;  // folders above a mask
  std::vector<Mount> masks_;
};

}  // namespace

Result<FilesystemPlan, SetupFault> plan_filesystem(const SandboxRequest& request,
                                                   const HostView& host) {
  if (request.command.empty()) return SetupFault{"there is no command to run", {}};
  return Planner(request, host).plan();
}

}  // namespace egret
