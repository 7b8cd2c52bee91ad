// What one `egret run` is made of, before anything is started.
#pragma once

#include <string>
#include <vector>

#include "certs/authority.h"
#include "proxy/server/setup.h"
#include "proxy/server/verbs.h"
#include "sandbox-glue/namespace/sandbox_request.h"

namespace egret {

// The configuration that a run finds where it stands.
constexpr const char* local_config = "egret.yaml";

struct RunPlan {
  GateSetup setup;  // one sandbox
  CertificateAuthority authority;
  SnapshotPtr snapshot;
  SandboxRequest request;
};

// Everything that can fail because of what somebody wrote. Makes the state directory and the audit
// file, which have to be there before they can be hidden.
Result<RunPlan, Failure> plan_run(const RunFlags& flags);

// The variables that secrets are read from: none of them is for the command.
std::vector<std::string> environment_sources(const Config& config, const SandboxSetup& sandbox);

}  // namespace egret
