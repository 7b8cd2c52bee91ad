#include "sandbox-glue/container/create_command.h"

#include <algorithm>

#include "sandbox-glue/container/options.h"

namespace egret {
namespace {

// Above these podman does not go by itself.
constexpr std::uint64_t podman_open_files_max = 1048576;
constexpr std::uint64_t podman_processes_max = 32768;
constexpr const char* pids_limit = "4096";

// --mount takes comma-separated values: a path may hold a comma or a quote.
std::string csv_field(const std::string& text) {
  std::string out = "\"";
  for (const char c : text)
    out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string bind_mount(const std::string& source, const std::string& destination,
                       const char* access) {
  return "type=bind," + csv_field("source=" + source) + "," +
         csv_field("destination=" + destination) + access;
}

std::string limit(const char* name, std::uint64_t ours, std::uint64_t podmans) {
  const std::string most = std::to_string(std::min(ours, podmans));
  return std::string(name) + "=" + most + ":" + most;
}

class Command {
 public:
  void add(std::initializer_list<std::string> words) {
    words_.insert(words_.end(), words.begin(), words.end());
  }
  void add_all(const std::vector<std::string>& words) {
    words_.insert(words_.end(), words.begin(), words.end());
  }

  void add_mounts(const FilesystemPlan& plan, const std::string& files) {
    std::size_t contents = 0;
    for (const Mount& mount : plan.mounts) {
      switch (mount.kind) {
        case Mount::Kind::Writable:
          add({"--mount", bind_mount(mount.path, mount.path, "")});
          break;
        case Mount::Kind::Content:
          add({"--mount", bind_mount(files + "/" + content_file(contents++), mount.path, ",ro")});
          break;
        case Mount::Kind::MaskFile:
          add({"--mount", bind_mount(files + "/" + empty_file, mount.path, ",ro")});
          break;
        case Mount::Kind::MaskDirectory:
          add({"--mount", bind_mount(files + "/" + empty_folder, mount.path, ",ro")});
          break;
        case Mount::Kind::EmptyShared:
        case Mount::Kind::EmptyPrivate:
          break;  // the image has its own
      }
    }
  }

  std::vector<std::string> words() && { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

// podman takes one mount for a place, and a folder can be both: hidden, and above something hidden.
void drop_what_is_masked(std::vector<Mount>& mounts) {
  const std::vector<Mount> all = mounts;
  std::erase_if(mounts, [&](const Mount& mount) {
    return mount.kind == Mount::Kind::Writable &&
           std::any_of(all.begin(), all.end(), [&](const Mount& mask) {
             return mask.kind == Mount::Kind::MaskDirectory && is_within(mount.path, mask.path);
           });
  });
}

}  // namespace

std::string content_file(std::size_t number) {
  return "file" + std::to_string(number);
}

Result<FilesystemPlan, SetupFault> plan_container(const ContainerRequest& request, HostView host) {
  // Nothing of the host is there unless it is named: as if the whole of it were private.
  host.scratch.push_back("/");
  host.resolv_conf.clear();
  host.nsswitch_conf.clear();
  host.private_home = "/";
  auto plan = plan_filesystem(request.sandbox, host);
  if (!plan) return plan;
  std::erase_if(plan->mounts, [](const Mount& mount) {
    return mount.kind == Mount::Kind::EmptyShared || mount.kind == Mount::Kind::EmptyPrivate;
  });
  drop_what_is_masked(plan->mounts);
  if (plan->working_directory == host.private_home) {
    plan->working_directory.clear();
    plan->notes = {"the working directory " + request.sandbox.working_directory +
                   " is not shown to the command, which starts where the image says; start from a "
                   "project's folder, or name what it may write with --rw"};
  }
  return plan;
}

std::vector<std::string> create_command(const ContainerRequest& request, const FilesystemPlan& plan,
                                        const ContainerPlaces& places) {
  Command command;
  command.add({"create", "--name", places.name, "--hostname", places.name});
  // Said in full where podman's own configuration could say otherwise.
  command.add({"--network", "ns:" + places.network, "--userns", "host"});
  command.add({"--pid", "private", "--ipc", "private", "--uts", "private"});
  command.add({"--cap-drop", "all", "--security-opt", "no-new-privileges"});
  command.add({"--security-opt", "seccomp=" + places.files + "/" + seccomp_file});
  command.add({"--env-host=false", "--http-proxy=false", "--systemd=false", "--sdnotify=ignore"});
  command.add({"--no-healthcheck", "--log-driver", "none", "--restart", "no", "--interactive"});
  if (places.with_init && !has_option(request.options, "init")) command.add({"--init"});
  if (places.with_terminal) command.add({"--tty"});
  if (!has_option(request.options, "pids-limit")) command.add({"--pids-limit", pids_limit});
  if (!has_option(request.options, "ulimit", "nofile=")) {
    command.add({"--ulimit", limit("nofile", places.open_files_max, podman_open_files_max)});
  }
  if (!has_option(request.options, "ulimit", "nproc=")) {
    command.add({"--ulimit", limit("nproc", places.processes_max, podman_processes_max)});
  }
  command.add({"--env-file", places.environment});
  command.add_mounts(plan, places.files);
  if (!plan.working_directory.empty()) command.add({"--workdir", plan.working_directory});
  command.add_all(request.options);
  command.add({"--", request.image});
  command.add_all(request.sandbox.command);
  return std::move(command).words();
}

Result<std::string, SetupFault> environment_file(const ContainerRequest& request) {
  std::string text;
  for (const auto& [name, value] : request.sandbox.environment) {
    if (value.find('\n') != std::string::npos || name.find('\n') != std::string::npos) {
      return SetupFault{"the variable " + name +
                            " holds a line break and cannot be passed into a "
                            "container",
                        "leave out --env " + name};
    }
    text += name + "=" + value + "\n";
  }
  return {boost::system::in_place_value, text};
}

std::vector<SandboxFile> name_files(const std::string& host_name) {
  return {{"/etc/resolv.conf", "nameserver 127.0.0.1\noptions edns0 trust-ad\n"},
          {"/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + host_name + "\n"}};
}

}  // namespace egret
