#include "proxy/server/run_plan.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <utility>

#include "certs/trust.h"
#include "proxy/secrets/source.h"
#include "proxy/server/environment.h"
#include "proxy/server/sandbox_kind.h"
#include "proxy/server/text_file.h"
#include "sandbox-glue/process/host_view.h"

namespace egret {
namespace {

constexpr const char* bundle_inside = "/run/egret/ca-bundle.pem";
constexpr const char* trust_store_inside = "/run/egret/truststore.jks";

std::string own_variable(const Variables& own, std::string_view name) {
  for (const auto& [key, value] : own) {
    if (key == name) return value;
  }
  return {};
}

// Every secret that the file or a flag knows, this sandbox's or not: none of their sources is for
// it.
std::vector<SecretConfig> all_secrets(const Config& config, const SandboxSetup& sandbox) {
  std::vector<SecretConfig> out = sandbox.secrets;
  for (const auto& [name, secret] : config.secrets)
    out.push_back(secret);
  return out;
}

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths)
    out.push_back(std::filesystem::absolute(path).lexically_normal());
  return out;
}

// Whether the file, or a link by that name, lies where the command may write.
bool can_be_changed(const std::string& file, const std::vector<std::string>& writable) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path path = fs::absolute(file);
  const std::string real = fs::weakly_canonical(path, error);
  const std::string named = fs::weakly_canonical(path.parent_path(), error) / path.filename();
  return std::any_of(writable.begin(), writable.end(), [&](const std::string& folder) {
    const std::string place = fs::weakly_canonical(folder, error);
    return is_within(real, place) || is_within(named, place);
  });
}

// What must not be visible inside, wherever it lies: state, audit, secret files, the configuration;
// and the programs that the gate runs, where the command could change them.
std::vector<std::string> hidden_paths(const Config& config, const SandboxSetup& sandbox,
                                      std::vector<std::string> writable) {
  writable.push_back(std::filesystem::current_path());
  std::vector<std::string> out = {config.state, config.audit_file};
  if (!config.file.empty()) out.push_back(std::filesystem::absolute(config.file));
  // What a later run would find.
  if (std::filesystem::exists(local_config)) out.push_back(std::filesystem::absolute(local_config));
  for (const SecretConfig& secret : all_secrets(config, sandbox)) {
    if (const auto* from = std::get_if<SecretSourceFile>(&secret.from)) out.push_back(from->path);
    if (const auto* kept = std::get_if<SecretSourceCredential>(&secret.from)) {
      if (const auto path = credential_path(*kept)) out.push_back(*path);
    }
    const auto* program = std::get_if<SecretSourceExec>(&secret.from);
    if (program != nullptr && can_be_changed(program->argv.front(), writable))
      out.push_back(program->argv.front());
  }
  for (const ClientCertConfig& one : config.origins.client_certs)
    out.push_back(one.key_file);
  return out;
}

Result<void, Failure> make_private_places(const Config& config) {
  if (auto made = make_private_directory(config.state); !made) return made;
  return touch_private_file(config.audit_file);
}

}  // namespace

std::vector<std::string> environment_sources(const Config& config, const SandboxSetup& sandbox) {
  std::vector<std::string> out;
  for (const SecretConfig& secret : all_secrets(config, sandbox)) {
    if (const auto* from = std::get_if<SecretSourceEnv>(&secret.from))
      out.push_back(from->variable);
  }
  return out;
}

Result<RunPlan, Failure> plan_run(const RunFlags& flags) {
  if (auto checked = check_kind(flags); !checked) return checked.error();
  auto setup = setup_for_sandbox(flags);
  if (!setup) return setup.error();
  const SandboxSetup& sandbox = setup->sandboxes.front();
  auto snapshot = snapshot_of(sandbox, setup->config, 1);
  if (!snapshot) return snapshot.error();
  if (auto readable = client_certificates(setup->config); !readable) return readable.error();
  auto authority = CertificateAuthority::generate(sandbox.name, {});
  if (!authority) return Failure{"egret: " + authority.error().what, 70};
  auto bundle = trust_bundle(setup->config, *authority);
  if (!bundle) return bundle.error();

  const bool own_system = system_inside(flags) == SystemInside::Own;
  const Variables own =
      own_system ? without_host_variables(own_environment(), flags.pass) : own_environment();
  Variables added = placeholder_variables((*snapshot)->grants);
  for (auto& variable :
       trust_variables(bundle_inside, trust_store_inside, own_variable(own, "JAVA_TOOL_OPTIONS"))) {
    added.push_back(std::move(variable));
  }
  added.emplace_back("EGRET_SANDBOX", sandbox.name);
  auto environment = environment_for_sandbox(
      own, added, environment_sources(setup->config, sandbox), flags.pass, (*snapshot)->grants);
  if (!environment.hidden.empty() && !flags.quiet) {
    std::cerr << "egret: not passed into the sandbox:";
    for (const std::string& name : environment.hidden)
      std::cerr << ' ' << name;
    std::cerr << " (make it a secret with --secret NAME, or pass it as it is with --env NAME)\n";
  }
  // What is hidden has to be there before: nothing inside may put something of its own in its
  // place.
  if (auto made = make_private_places(setup->config); !made) return made.error();
  SandboxRequest request;
  request.command = flags.command;
  request.working_directory = std::filesystem::current_path();
  request.writable_paths = absolute_paths(flags.writable);
  request.hidden_paths = hidden_paths(setup->config, sandbox, request.writable_paths);
  request.environment = std::move(environment.variables);
  request.files = {{bundle_inside, *bundle}, {trust_store_inside, jks_trust_store(*bundle)}};
  for (const std::string& file : own_system ? usual_bundle_files() : system_bundle_files())
    request.files.push_back({file, *bundle});
  return RunPlan{std::move(*setup), std::move(*authority), std::move(*snapshot),
                 std::move(request)};
}

}  // namespace egret
