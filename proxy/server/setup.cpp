#include "proxy/server/setup.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "certs/trust.h"
#include "proxy/io/socket_address.h"
#include "proxy/secrets/grants.h"
#include "proxy/server/text_file.h"

namespace egret {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Failure usage(const std::string& text) {
  return {"egret: " + text, 2};
}

std::string names_of(const std::map<std::string, SandboxConfig>& sandboxes) {
  std::string out;
  for (const auto& [name, sandbox] : sandboxes)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

Result<SandboxConfig, Failure> named_sandbox(const Config& config, const std::string& name) {
  const auto found = config.sandboxes.find(name);
  if (found != config.sandboxes.end()) return found->second;
  if (config.file.empty()) {  // without a file any name may be used: it denies everything that no
                              // flag opens
    SandboxConfig sandbox = config.sandboxes.at("default");
    sandbox.name = name;
    return sandbox;
  }
  return usage("there is no sandbox \"" + name + "\" in " + config.file +
               "; it has: " + names_of(config.sandboxes));
}

Result<std::vector<SecretConfig>, Failure> secrets_of(const Config& config,
                                                      const std::vector<std::string>& names) {
  std::vector<SecretConfig> out;
  for (const std::string& name : names) {
    if (std::any_of(out.begin(), out.end(),
                    [&](const SecretConfig& one) { return one.name == name; }))
      continue;
    if (const auto found = config.secrets.find(name); found != config.secrets.end()) {
      out.push_back(found->second);
    } else if (auto known = well_known_secret(name)) {
      out.push_back(std::move(*known));
    } else {
      std::string all;
      for (const std::string& one : well_known_secret_names())
        all += (all.empty() ? "" : ", ") + one;
      return usage("the secret \"" + name +
                   "\" is not under secrets: in egret.yaml and is none of the well-known ones (" +
                   all + "); write its from: and hosts: there");
    }
  }
  return out;
}

const Grant* grant_named(const GrantTable& grants, std::string_view name) {
  const auto& all = grants.grants();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Grant& grant) { return grant.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

ConfigPlaces places_from_environment() {
  return {variable("HOME"), variable("XDG_STATE_HOME"), variable("XDG_CONFIG_HOME")};
}

std::string text_of(const ConfigErrors& errors) {
  std::string out;
  for (const ConfigError& error : errors)
    out += (out.empty() ? "" : "\n") + error.text();
  return out;
}

Result<Config, Failure> load_configuration(const std::optional<std::string>& given) {
  const ConfigPlaces places = places_from_environment();
  // Empty: built-in defaults, whatever lies in the working directory by now.
  const auto path = given && given->empty() ? std::nullopt : find_config(given, places);
  if (!path) return default_config(places);
  auto config = load_config(*path, places);
  if (!config) return Failure{text_of(config.error()), 2};
  if (!given &&
      std::filesystem::path(*path).parent_path() == std::filesystem::path(".").parent_path()) {
    // Found in the working directory, which may be somebody else's repository.
    for (const auto& [name, secret] : config->secrets) {
      if (!std::holds_alternative<SecretSourceExec>(secret.from)) continue;
      return Failure{secret.source +
                         ": a file that is found in the working directory may not name programs to "
                         "run (`from: exec:`); say --config " +
                         *path + " if you trust it",
                     2};
    }
  }
  return std::move(*config);
}

Result<GateSetup, Failure> setup_for_sandbox(const Flags& flags) {
  auto config = load_configuration(flags.config);
  if (!config) return config.error();
  auto named = named_sandbox(*config, flags.sandbox.value_or("default"));
  if (!named) return named.error();
  SandboxSetup sandbox{named->name, named->rules, {}};
  for (const std::string& profile : flags.profiles) {
    auto rules = rules_of_profile(*config, profile);
    if (!rules) return usage("--profile " + profile + ": " + rules.error().text());
    sandbox.rules.insert(sandbox.rules.end(), rules->begin(), rules->end());
  }
  for (const std::string& allow : flags.allow) {
    auto rule = rule_from_flag(allow);
    if (!rule) return usage("--allow " + allow + ": " + rule.error().text());
    sandbox.rules.push_back(std::move(*rule));
  }
  std::vector<std::string> names = named->secrets;
  names.insert(names.end(), flags.secrets.begin(), flags.secrets.end());
  auto secrets = secrets_of(*config, names);
  if (!secrets) return secrets.error();
  sandbox.secrets = std::move(*secrets);
  return GateSetup{std::move(*config), {std::move(sandbox)}};
}

Result<GateSetup, Failure> setup_for_gate(const std::optional<std::string>& given) {
  auto config = load_configuration(given);
  if (!config) return config.error();
  GateSetup setup;
  for (const auto& [name, sandbox] : config->sandboxes) {
    auto secrets = secrets_of(*config, sandbox.secrets);
    if (!secrets) return secrets.error();
    setup.sandboxes.push_back({name, sandbox.rules, std::move(*secrets)});
  }
  setup.config = std::move(*config);
  return setup;
}

AddressRules address_rules(const Config& config) {
  AddressRules rules;  // what a sandbox's own rules deny comes with its snapshot
  rules.allowed = config.origins.allow_addresses;
  rules.pins = config.origins.resolve;
  rules.own_addresses = interface_addresses();
  return rules;
}

std::shared_ptr<const UpstreamProxy> upstream_proxy(const Config& config) {
  const auto& via = config.origins.via;
  if (!via) return nullptr;
  return std::make_shared<const UpstreamProxy>(
      UpstreamProxy{via->host, via->port, via->authorization, config.origins.bypass});
}

Result<std::vector<ClientCertificate>, Failure> client_certificates(const Config& config) {
  std::vector<ClientCertificate> out;
  for (const ClientCertConfig& one : config.origins.client_certs) {
    auto identity = load_client_identity(one.cert_file, one.key_file);
    if (!identity) return usage(one.source + ": origins.client_certs: " + identity.error().what);
    out.push_back({one.hosts, std::move(*identity)});
  }
  return {boost::system::in_place_value, std::move(out)};
}

Result<SnapshotPtr, Failure> snapshot_of(const SandboxSetup& sandbox, const Config& config,
                                         std::uint64_t generation, const SnapshotPtr& before) {
  std::vector<SecretConfig> to_read;
  std::vector<Grant> kept;
  for (const SecretConfig& secret : sandbox.secrets) {
    const Grant* old = before ? grant_named(before->grants, secret.name) : nullptr;
    const auto* from = std::get_if<SecretSourceEnv>(&secret.from);
    if (old != nullptr && from != nullptr && std::getenv(from->variable.c_str()) == nullptr) {
      kept.push_back(
          {secret.name, old->placeholder, old->secret, secret.hosts, secret.in, secret.foreign});
    } else {
      to_read.push_back(secret);
    }
  }
  auto grants = load_grants(to_read, sandbox.name, config.state);
  if (!grants) return usage(grants.error().what);
  if (!kept.empty()) {
    kept.insert(kept.end(), grants->grants().begin(), grants->grants().end());
    *grants = GrantTable(std::move(kept));
  }
  return make_snapshot(sandbox.name, generation, Policy(sandbox.rules), std::move(*grants),
                       address_rules(config));
}

Result<std::string, Failure> trust_bundle(const Config& config,
                                          const CertificateAuthority& authority) {
  std::vector<std::string> more;
  for (const std::string& path : config.origins.ca_files) {
    auto pem = read_text_file(path);
    if (!pem) return pem.error();
    more.push_back(std::move(*pem));
  }
  more.push_back(authority.certificate_pem());
  return bundle_pem(read_system_roots(), more);
}

std::string sandbox_directory(const Config& config, const std::string& sandbox) {
  return config.state + "/sandboxes/" + sandbox;
}

}  // namespace egret
