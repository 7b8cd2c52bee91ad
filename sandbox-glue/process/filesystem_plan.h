// What the command will find on disk: a list of mounts over the read-only root, in order.
#pragma once

#include <string>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"
#include "sandbox-glue/process/host_view.h"
#include "sandbox-glue/process/process_sandbox.h"

namespace egret {

struct Mount {
  enum class Kind {
    EmptyShared,   // a new empty directory for everybody, like /tmp
    EmptyPrivate,  // a new empty directory for its owner, like a home
    Writable,      // the host's own, writable
    Content,       // a read-only file with `content`
    MaskDirectory,
    MaskFile,
  };
  Kind kind;
  std::string path;  // absolute, canonical, the same inside and outside
  std::string content;
};

struct FilesystemPlan {
  std::vector<Mount> mounts;
  std::string working_directory;
  std::vector<std::string> notes;
};

// Looks at the file system but changes nothing. Faults: a writable path that does not exist or that
// would open the host, and anything hidden that could not stay hidden or be kept where it is.
Result<FilesystemPlan, SetupFault> plan_filesystem(const SandboxRequest& request,
                                                   const HostView& host);

}  // namespace egret
