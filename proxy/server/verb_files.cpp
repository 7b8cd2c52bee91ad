// env, ca and config: the verbs that read or write files and end.
#include <filesystem>
#include <iostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "certs/trust.h"
#include "proxy/secrets/placeholder_store.h"
#include "proxy/server/control.h"
#include "proxy/server/environment.h"
#include "proxy/server/sandbox_files.h"
#include "proxy/server/text_file.h"
#include "proxy/server/verbs.h"

namespace egret {
namespace {

std::string text_of(const ListenTcp& tcp) {
  const bool v6 = tcp.address.find(':') != std::string::npos;
  return (v6 ? "[" + tcp.address + "]" : tcp.address) + ":" + std::to_string(tcp.port);
}

// The port that a running gate took for a listener with port 0.
std::optional<ListenTcp> bound_listener(const Config& config, const Listen& listen) {
  for (const GateAnswer& answer : ask_gates(config.state, "status")) {
    const auto status = nlohmann::json::parse(answer.json, nullptr, false);
    if (status.is_discarded()) continue;
    for (const auto& one : status.value("listeners", nlohmann::json::array())) {
      if (one.value("source", "") != listen.source) continue;
      return ListenTcp{one.value("address", ""), one.value("port", std::uint16_t{0})};
    }
  }
  return std::nullopt;
}

// As --proxy-at wants it: it becomes part of a URL.
bool is_host_and_port(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  return colon != std::string::npos && colon > 0 && colon + 1 < text.size() &&
         text.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
         text.find_first_of("/@ '\"#?\\") == std::string::npos;
}

// The proxy URL for this sandbox: a listener of its own, else one where credentials name it.
Result<std::string, Failure> proxy_url(const Config& config, const std::string& sandbox,
                                       const std::optional<std::string>& at) {
  if (at && !is_host_and_port(*at))
    return Failure{"egret: --proxy-at " + *at + ": write it as HOST:PORT", 2};
  std::optional<ListenTcp> shared;
  std::optional<ListenTcp> bound;
  for (const Listen& listen : config.listen) {
    const auto* tcp = std::get_if<ListenTcp>(&listen.where);
    if (tcp == nullptr) continue;
    if (listen.sandbox && *listen.sandbox != sandbox) continue;
    if (tcp->port == 0) {
      bound = bound_listener(config, listen);
      if (bound) {
        tcp = &*bound;
      } else {
        std::cerr << "egret: " << listen.source
                  << ": the listener takes a free port and no gate runs yet; start `egret serve`, "
                     "then ask again\n";
      }
    }
    if (listen.sandbox == sandbox) return "http://" + at.value_or(text_of(*tcp));
    if (!listen.sandbox && !shared) shared = *tcp;
  }
  if (!shared) {
    return Failure{"egret: env: no `listen: - address:` in " +
                       (config.file.empty() ? std::string("egret.yaml") : config.file) +
                       " serves the sandbox \"" + sandbox +
                       "\"; write one, e.g. {address: 127.0.0.1:3128, sandbox: " + sandbox + "}",
                   2};
  }
  auto token = proxy_token(config.state, sandbox);
  if (!token) return Failure{"egret: " + token.error().what, 2};
  return "http://" + sandbox + ":" + *token + "@" + at.value_or(text_of(*shared));
}

bool serves(const Listen& listen, const std::string& sandbox) {
  return listen.sandbox.value_or(sandbox) == sandbox;
}

// What is redirected or attached needs no proxy variables.
bool needs_no_proxy(const Config& config, const std::string& sandbox) {
  bool redirected = false;
  for (const Listen& listen : config.listen) {
    if (!serves(listen, sandbox)) continue;
    if (!std::holds_alternative<ListenRedirect>(listen.where)) return false;
    redirected = true;
  }
  const auto known = config.sandboxes.find(sandbox);
  if (!redirected && known != config.sandboxes.end() && known->second.source != "built in") {
    std::cerr << "egret: no `listen:` of " << config.file << " serves the sandbox \"" << sandbox
              << "\": no proxy variables, for namespaces that `egret attach` brings\n";
    return true;
  }
  return redirected;
}

}  // namespace

int env_verb(const EnvFlags& flags) {
  auto setup = setup_for_sandbox(flags);
  if (!setup) return fail(setup.error());
  const SandboxSetup& sandbox = setup->sandboxes.front();
  Variables variables;
  if (!needs_no_proxy(setup->config, sandbox.name)) {
    auto url = proxy_url(setup->config, sandbox.name, flags.proxy_at);
    if (!url) return fail(url.error());
    variables = proxy_variables(*url);
  }
  auto snapshot = snapshot_of(sandbox, setup->config, 1);
  if (!snapshot) return fail(snapshot.error());
  auto authority = sandbox_authority(setup->config, sandbox.name);
  if (!authority) return fail(authority.error());
  if (auto written = write_trust_files(setup->config, sandbox.name, *authority); !written)
    return fail(written.error());
  TrustFiles files = trust_files(setup->config, sandbox.name);
  if (flags.files) {
    auto written = write_trust_files_in(*flags.files, setup->config, *authority);
    if (!written) return fail(written.error());
    files = trust_files_in(std::filesystem::absolute(*flags.files));
  }
  for (auto& one : trust_variables(files.bundle, files.trust_store, {}))
    variables.push_back(std::move(one));
  for (auto& one : placeholder_variables((*snapshot)->grants))
    variables.push_back(std::move(one));
  variables.emplace_back("EGRET_SANDBOX", sandbox.name);
  if (flags.json) {
    nlohmann::ordered_json out;
    for (const auto& [name, value] : variables)
      out[name] = value;
    std::cout << out.dump() << "\n";
  } else {
    // Last: `eval $(egret env)` without quotes makes one line of it all.
    std::cout << as_exports(variables)
              << "# These variables ask a client to use the gate. They enforce nothing: a program "
                 "that does not read them goes past it.\n";
  }
  return 0;
}

namespace {

template <class Do>
int with_authority(const CaFlags& flags, bool rotate, Do&& then) {
  auto setup = setup_for_sandbox(flags);
  if (!setup) return fail(setup.error());
  const std::string& sandbox = setup->sandboxes.front().name;
  auto authority = rotate ? rotate_sandbox_authority(setup->config, sandbox)
                          : sandbox_authority(setup->config, sandbox);
  if (!authority) return fail(authority.error());
  return then(setup->config, sandbox, *authority);
}

}  // namespace

int ca_init_verb(const CaFlags& flags) {
  return with_authority(
      flags, flags.rotate,
      [](const Config& config, const std::string& sandbox, const CertificateAuthority& authority) {
        if (auto written = write_trust_files(config, sandbox, authority); !written)
          return fail(written.error());
        std::cout << authority.describe() << "\nbundle: " << trust_files(config, sandbox).bundle
                  << "\n";
        return 0;
      });
}

int ca_show_verb(const CaFlags& flags) {
  return with_authority(
      flags, false, [](const Config&, const std::string&, const CertificateAuthority& authority) {
        std::cout << authority.describe() << "\n" << authority.certificate_pem();
        return 0;
      });
}

int ca_bundle_verb(const CaFlags& flags) {
  return with_authority(
      flags, false,
      [](const Config& config, const std::string&, const CertificateAuthority& authority) {
        auto bundle = trust_bundle(config, authority);
        if (!bundle) return fail(bundle.error());
        std::cout << *bundle;
        return 0;
      });
}

int config_check_verb(const std::optional<std::string>& path) {
  auto config = load_configuration(path);
  if (!config) return fail(config.error());
  std::cout << (config->file.empty() ? std::string("built-in defaults") : config->file) << ": ok, "
            << config->sandboxes.size() << " sandboxes\n";
  return 0;
}

int config_show_verb(const Flags& flags) {
  auto config = load_configuration(flags.config);
  if (!config) return fail(config.error());
  if (flags.sandbox && !config->sandboxes.contains(*flags.sandbox)) {
    auto setup = setup_for_sandbox(flags);
    if (!setup) return fail(setup.error());
  }
  std::cout << show_config(*config, flags.sandbox);
  return 0;
}

}  // namespace egret
