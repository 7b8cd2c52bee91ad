// What an OCI runtime tells a hook on its standard input (runtime-spec, "State").
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// The annotation by which a container asks for a sandbox: `podman run --annotation
// egret.sandbox=web`.
constexpr std::string_view sandbox_annotation = "egret.sandbox";

struct OciState {
  std::string id;       // of the container
  pid_t pid = -1;       // its first process, in the namespaces that it will have
  std::string sandbox;  // from the annotation
};

constexpr std::size_t oci_state_bytes_max = 1 << 20;

// A fault is one sentence: no JSON, no process yet, no sandbox named.
Result<OciState, SetupFault> read_oci_state(std::string_view json);

// The same of what stands in a descriptor, up to its end.
Result<OciState, SetupFault> receive_oci_state(int descriptor);

}  // namespace egret
