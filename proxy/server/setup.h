// From the command line and egret.yaml to what a gate is made of. Made at start and again at
// reload: the same function, so that a reload means what a restart would.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "certs/authority.h"
#include "config/config.h"
#include "policy/result.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/io/tls.h"
#include "proxy/io/upstream_proxy.h"

namespace egret {

// Ends a verb: a text for stderr and the exit code (DESIGN part 6: 2, 70, 77).
struct Failure {
  Failure() = default;
  Failure(std::string what, int code) : text(std::move(what)), exit_code(code) {}
  std::string text;
  int exit_code = 2;
};

struct Flags {
  std::optional<std::string> config;
  std::optional<std::string> sandbox;
  std::vector<std::string> profiles;  // --profile
  std::vector<std::string> allow;     // --allow
  std::vector<std::string> secrets;   // --secret
};

ConfigPlaces places_from_environment();
Result<Config, Failure> load_configuration(const std::optional<std::string>& given);
std::string text_of(const ConfigErrors& errors);

struct SandboxSetup {
  std::string name;
  std::vector<Rule> rules;
  std::vector<SecretConfig> secrets;
};

struct GateSetup {
  Config config;
  std::vector<SandboxSetup> sandboxes;
};

// The one sandbox that a command line names, with what its flags add. Also for check, env and ca.
Result<GateSetup, Failure> setup_for_sandbox(const Flags& flags);
// Every sandbox of the file.
Result<GateSetup, Failure> setup_for_gate(const std::optional<std::string>& config);

AddressRules address_rules(const Config& config);
// `origins.via` with its bypass list; null where there is none.
std::shared_ptr<const UpstreamProxy> upstream_proxy(const Config& config);
// Reads `origins.client_certs`: a file that cannot be used is a failure.
Result<std::vector<ClientCertificate>, Failure> client_certificates(const Config& config);
// Reads the secrets and finds or mints their placeholders: a secret that cannot be had is a
// failure. At reload, what once came from our environment and was wiped there is taken from
// `before`.
Result<SnapshotPtr, Failure> snapshot_of(const SandboxSetup& sandbox, const Config& config,
                                         std::uint64_t generation,
                                         const SnapshotPtr& before = nullptr);
// PEM: the system's roots, the origins' own, and this sandbox's CA.
Result<std::string, Failure> trust_bundle(const Config& config,
                                          const CertificateAuthority& authority);

std::string sandbox_directory(const Config& config, const std::string& sandbox);

}  // namespace egret
