#include <filesystem>
#include <iostream>
#include <utility>

#include "proxy/secrets/source.h"
#include "proxy/server/control.h"
#include "proxy/server/hardening.h"
#include "proxy/server/run_plan.h"
#include "proxy/server/sandbox_kind.h"
#include "proxy/server/verbs.h"

namespace egret {
namespace {

Failure of(const SetupFault& fault) {
  return {"egret: the sandbox cannot be set up here: " + fault.what +
              (fault.remedy.empty() ? "" : "\negret: " + fault.remedy),
          77};
}

void print_summary(Gate& gate, const std::string& name) {
  const SandboxCounts& counts = gate.sandbox(name)->counts();
  const auto requests = counts.requests.load();
  const auto denials = counts.denials.load();
  std::cerr << "egret: " << requests << (requests == 1 ? " request, " : " requests, ") << denials
            << (denials == 1 ? " denial; audit: " : " denials; audit: ") << gate.config().audit_file
            << "\n";
}

// An egret.yaml that the command has left here would be the next run's policy: a person has to look
// at it first.
void set_aside_new_config() {
  if (!std::filesystem::exists(std::filesystem::symlink_status(local_config))) return;
  std::error_code error;
  const std::string aside = std::string(local_config) + ".from-sandbox";
  std::filesystem::rename(local_config, aside, error);
  std::cerr << "egret: the command has written " << local_config
            << ", which the next run would read; "
            << (error ? std::string("remove it or look at it first") : "it is now " + aside)
            << "\n";
}

}  // namespace

int run_verb(const RunFlags& flags) {
  if (flags.command.empty() && !flags.vm) {
    return fail(
        {"egret: run: no command; write it behind --, e.g. egret run --profile github-read -- git "
         "clone https://github.com/owner/repo",
         2});
  }
  auto plan = plan_run(flags);
  if (!plan) return fail(plan.error());
  const SandboxSetup setup = plan->setup.sandboxes.front();
  if (flags.dry_run) {
    std::cout << describe_sandbox(flags, plan->request);
    return 0;
  }
  for (const std::string& variable : environment_sources(plan->setup.config, setup))
    forget_variable(variable);
  auto sandbox = start_sandbox(flags, std::move(plan->request));
  if (!sandbox) return fail(of(sandbox.error()));
  for (const std::string& note : (*sandbox)->notes())
    std::cerr << "egret: " << note << "\n";
  protect_memory();
  const SignalsBlocked signals_blocked;  // the gate's threads leave every signal to this one

  // A reload reads the file that was there at the start, not one that the command has made since.
  RunFlags again = flags;
  again.config = plan->setup.config.file;
  const MakeSetup remake = [again] { return setup_for_sandbox(again); };
  const bool had_local_file = std::filesystem::exists(local_config);
  auto gate = Gate::create(std::move(plan->setup), remake, "run");
  if (!gate) return fail(gate.error());
  if (auto added = (*gate)->add_sandbox(setup, std::move(plan->authority), plan->snapshot); !added)
    return fail(added.error());
  (*gate)->start();
  (*gate)->attach(setup.name, std::move((*sandbox)->sockets()));
  auto control = ControlSocket::open(**gate, (*gate)->config().state);
  if (control) {
    (*control)->start();
  } else {
    std::cerr << control.error().text
              << " (`egret status` and `egret reload` cannot reach this run)\n";
  }
  signals_blocked.restore();
  const auto status = (*sandbox)->run();
  if (control) control->reset();
  (*gate)->stop();
  if (!had_local_file) set_aside_new_config();
  if (!flags.quiet) print_summary(**gate, setup.name);
  return status ? *status : fail(of(status.error()));
}

}  // namespace egret
