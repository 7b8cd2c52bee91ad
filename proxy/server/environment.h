// What a sandboxed command gets in its environment, and what it does not (DESIGN part 6): the
// placeholders, the CA through every variable that tool chains read, and none of the caller's
// credentials, proxies and agent sockets.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "policy/secret/grant.h"

namespace egret {

using Variables = std::vector<std::pair<std::string, std::string>>;

// SSL_CERT_FILE and its kin for this bundle, and the JVM's trust store.
Variables trust_variables(const std::string& bundle_path, const std::string& trust_store_path,
                          std::string_view java_options);
// Where this host keeps the roots that every program trusts, symbolic links followed: inside a
// sandbox the bundle takes their place, for programs that read no variable.
std::vector<std::string> system_bundle_files();
// The same places as they are called everywhere: for a system that cannot be looked at before.
std::vector<std::string> usual_bundle_files();
Variables placeholder_variables(const GrantTable& grants);
// HTTP_PROXY and its kin in both cases, and a NO_PROXY that opens nothing.
Variables proxy_variables(const std::string& proxy_url);

struct SandboxEnvironment {
  Variables variables;
  std::vector<std::string> hidden;  // names of the caller's variables that look like credentials
};
// The caller's environment without what would lead out or give secrets away, and with the above.
// `sources`: variables that secrets are read from; `pass`: names to keep whatever they look like.
SandboxEnvironment environment_for_sandbox(const Variables& own, const Variables& added,
                                           const std::vector<std::string>& sources,
                                           const std::vector<std::string>& pass,
                                           const GrantTable& grants);
Variables own_environment();
// The few of them that say how to talk to the person, and those in `pass`: for a system of its own.
Variables without_host_variables(const Variables& own, const std::vector<std::string>& pass);

// `export NAME='value'` lines for a POSIX shell.
std::string as_exports(const Variables& variables);

}  // namespace egret
