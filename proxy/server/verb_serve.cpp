#include <algorithm>
#include <iostream>
#include <signal.h>
#include <utility>

#include "certs/trust.h"
#include "proxy/server/control.h"
#include "proxy/server/hardening.h"
#include "proxy/server/sandbox_files.h"
#include "proxy/server/verbs.h"

namespace egret {
namespace {

Result<void, Failure> add_sandboxes(Gate& gate, const std::vector<SandboxSetup>& sandboxes) {
  for (const SandboxSetup& sandbox : sandboxes) {
    auto snapshot = snapshot_of(sandbox, gate.config(), 1);
    if (!snapshot) return snapshot.error();
    auto authority = sandbox_authority(gate.config(), sandbox.name);
    if (!authority) return authority.error();
    if (auto written = write_trust_files(gate.config(), sandbox.name, *authority); !written)
      return written;
    if (auto added = gate.add_sandbox(sandbox, std::move(*authority), std::move(*snapshot)); !added)
      return added;
  }
  return {};
}

// Whether the file names any; one called `default` is always there.
bool has_sandboxes(const Config& config) {
  return std::any_of(config.sandboxes.begin(), config.sandboxes.end(),
                     [](const auto& one) { return one.second.source != "built in"; });
}

}  // namespace

int serve_verb(const std::optional<std::string>& config) {
  protect_memory();
  // Before any thread: SIGTERM, SIGINT and SIGHUP are taken here, one after the other.
  const SignalsBlocked blocked;
  // Before any program is started (`exec:`): none of them is to have these.
  const ServiceManager manager = ServiceManager::from_environment();
  auto activated = ActivatedSockets::from_environment();
  if (!activated) return fail(activated.error());
  auto setup = setup_for_gate(config);
  if (!setup) return fail(setup.error());
  if (setup->config.listen.empty() && has_sandboxes(setup->config)) {
    std::cerr << "egret: no `listen:` in " << setup->config.file
              << "; only namespaces that `egret attach` brings are served" << std::endl;
  } else if (setup->config.listen.empty()) {
    const std::string file = setup->config.file.empty() ? "egret.yaml" : setup->config.file;
    return fail({file + ": there is nothing to listen on; write e.g.\n  listen:\n    - address: "
                        "127.0.0.1:3128\n      sandbox: default\nor sandboxes for `egret attach`",
                 2});
  }
  const std::vector<SandboxSetup> sandboxes = setup->sandboxes;
  auto gate = Gate::create(
      std::move(*setup), [config] { return setup_for_gate(config); }, "serve");
  if (!gate) return fail(gate.error());
  if (auto added = add_sandboxes(**gate, sandboxes); !added) return fail(added.error());
  if (auto opened = (*gate)->open_listeners(std::move(*activated)); !opened)
    return fail(opened.error());
  auto control = ControlSocket::open(**gate, (*gate)->config().state);
  if (!control) return fail(control.error());
  (*gate)->report_to(manager);
  (*gate)->start();
  (*control)->start();
  if (!manager.ready((*gate)->status_line()))
    std::cerr << "egret: the service manager's $NOTIFY_SOCKET takes no message" << std::endl;
  std::cerr << "egret: ready" << std::endl;

  sigset_t awaited;
  ::sigemptyset(&awaited);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    ::sigaddset(&awaited, signal);
  int signal = 0;
  while (::sigwait(&awaited, &signal) == 0 && signal == SIGHUP)
    (*gate)->reload();
  manager.stopping();
  control->reset();
  (*gate)->stop();
  return 0;
}

}  // namespace egret
