// The `podman create` call of one sandbox, as a pure function of what was found out before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/namespace/sandbox_request.h"
#include "sandbox-glue/process/filesystem_plan.h"
#include "sandbox-glue/process/host_view.h"

namespace egret {

struct ContainerRequest {
  SandboxRequest sandbox;
  std::string image;
  std::vector<std::string> options;  // from container_options()
};

// What the container gets of the host: writable folders, what is masked in them, and files. Of
// `host` everything is hidden but that. Faults as plan_filesystem().
Result<FilesystemPlan, SetupFault> plan_container(const ContainerRequest& request, HostView host);

struct ContainerPlaces {
  std::string name;         // of the container, and its host name
  std::string network;      // path of the namespace that the gate holds
  std::string files;        // folder with content_file(n) for each Content of the plan
  std::string environment;  // --env-file
  bool with_init = true;    // podman has an init program to put inside
  bool with_terminal = false;
  std::uint64_t open_files_max = 0;  // the caller's own hard limits
  std::uint64_t processes_max = 0;
};

// Names below ContainerPlaces::files.
std::string content_file(std::size_t number);
constexpr const char* empty_file = "empty";
constexpr const char* seccomp_file = "seccomp.json";
constexpr const char* empty_folder = "nothing";

// Without the program's own path: `create --name …  IMAGE COMMAND…`.
std::vector<std::string> create_command(const ContainerRequest& request, const FilesystemPlan& plan,
                                        const ContainerPlaces& places);

// NAME=value lines. A fault where a value has a line break, which such a file cannot carry.
Result<std::string, SetupFault> environment_file(const ContainerRequest& request);

// All of it as text a person can read, with names in place of what is not known before.
std::string describe_container_plan(const ContainerRequest& request,
                                    const Result<FilesystemPlan, SetupFault>& plan,
                                    const ContainerPlaces& places);

// What every container finds in /etc/resolv.conf and /etc/hosts.
std::vector<SandboxFile> name_files(const std::string& host_name);

}  // namespace egret
