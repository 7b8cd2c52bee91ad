// attach: an existing network namespace is put behind the running gate, and taken away again.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <unistd.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "proxy/server/control.h"
#include "proxy/server/hardening.h"
#include "proxy/server/oci_state.h"
#include "proxy/server/verbs.h"
#include "sandbox-glue/keeper/keeper.h"
#include "sandbox-glue/keeper/keeper_client.h"
#include "sandbox-glue/namespace/describe.h"
#include "sandbox-glue/namespace/enter.h"
#include "sandbox-glue/namespace/rules.h"
#include "sandbox-glue/namespace/target.h"
#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

constexpr int exit_cannot = 77;

Failure of(const SetupFault& fault) {
  return {"egret: " + fault.what + (fault.remedy.empty() ? "" : "\negret: " + fault.remedy),
          exit_cannot};
}

Failure usage(const std::string& text) {
  return {"egret: attach: " + text, 2};
}

Failure no_gate(const Config& config) {
  return of({"no gate is running on the state directory " + config.state,
             "start it: egret serve" +
                 (config.file.empty() ? std::string() : " --config " + config.file)});
}

Result<NamespaceTarget, SetupFault> target_of(const AttachFlags& flags) {
  if (flags.netns) return target_at_path(*flags.netns);
  if (flags.pid) return target_of_process(*flags.pid);
  return target_of_container(flags.container.value_or(""));
}

// As target_of() names it, also where it is gone by now.
std::string label_of(const AttachFlags& flags) {
  if (flags.netns)
    return "netns " + std::filesystem::absolute(*flags.netns).lexically_normal().string();
  if (flags.pid) return "pid " + std::to_string(*flags.pid);
  return "container " + flags.container.value_or("");
}

// Asked before anything is touched.
Result<void, Failure> ask_gate(const Config& config, const std::string& sandbox) {
  const auto answers = ask_gates(config.state, "attachable " + sandbox);
  const auto has = [](const std::string& what) {
    return [what](const GateAnswer& answer) { return answer.json == what; };
  };
  if (std::any_of(answers.begin(), answers.end(), has("ok"))) return {};
  for (const GateAnswer& answer : answers) {
    const auto mode = answer.json.find("one command");
    if (mode == std::string::npos) return usage(answer.json.substr(answer.json.find(' ') + 1));
  }
  return no_gate(config);
}

std::vector<std::string> keeper_command(const std::string& directory) {
  return {"egret", "keeper", directory};
}

void say(const AttachFlags& flags, nlohmann::ordered_json fields, const std::string& text) {
  if (flags.json) {
    std::cout << fields.dump() << "\n";
  } else {
    std::cerr << "egret: " << text << "\n";
  }
}

int describe(const AttachFlags& flags, const NamespaceTarget& target, const std::string& nft) {
  if (flags.json) {
    std::cout << nlohmann::ordered_json{{"sandbox", *flags.sandbox},
                                        {"namespace", target.label},
                                        {"identity", target.identity},
                                        {"nft", nft},
                                        {"steps", describe_namespace(flags.tap)}}
                     .dump()
              << "\n";
    return 0;
  }
  std::cout << "# enter " << target.label << " (device:inode " << target.identity
            << "), its network alone; refused if it has another interface than lo"
            << (flags.tap.empty() ? "" : " and " + flags.tap) << "\n# run nft as " << nft << "\n\n"
            << describe_namespace(flags.tap)
            << "\n# 4. the sockets go to the keeper, which offers them to the gate as the sandbox "
            << *flags.sandbox
            << ",\n#    again after each restart, and takes them back when the namespace is gone\n";
  return 0;
}

Result<void, Failure> attach(const Config& config, const AttachFlags& flags, NamespaceTarget target,
                             const std::string& nft) {
  if (auto known = ask_gate(config, *flags.sandbox); !known) return known;
  const std::string directory = control_directory(config.state);
  auto keeper = KeeperClient::find_or_start(directory, keeper_command(directory));
  if (!keeper) return of(keeper.error());
  if (auto free = keeper->is_free(target.label, target.identity); !free) return of(free.error());
  auto entered = EnteredNamespace::enter(target, nft, flags.tap);
  if (!entered) return of(entered.error());
  Offer offer{*flags.sandbox,          target.label,
              target.identity,         target.path,
              std::move(target.alive), std::move(entered->sockets())};
  // Not to be ended between the keeper's answer and ours to the child.
  const SignalsBlocked undisturbed;
  const auto taken = keeper->keep(offer);
  if (taken) entered->keep();
  undisturbed.restore();
  if (!taken) return of(taken.error());
  return {};
}

int attach_target(const Config& config, const AttachFlags& flags,
                  Result<NamespaceTarget, SetupFault> target) {
  if (!target) return fail(of(target.error()));
  auto nft = find_tool("nft", "nftables");
  if (!nft) return fail(of(nft.error()));
  if (flags.dry_run) return describe(flags, *target, *nft);
  const std::string label = target->label;
  auto attached = attach(config, flags, std::move(*target), *nft);
  if (!attached) return fail(attached.error());
  say(flags, {{"ok", true}, {"sandbox", *flags.sandbox}, {"namespace", label}},
      label + " is behind the gate as the sandbox " + *flags.sandbox);
  return 0;
}

int attach_now(const Config& config, const AttachFlags& flags) {
  if (!flags.sandbox) return fail(usage("which sandbox? write --sandbox NAME"));
  return attach_target(config, flags, target_of(flags));
}

// Ends with a failure, and the runtime starts nothing, unless the container is behind the gate.
int attach_for_runtime(const Config& config, AttachFlags flags) {
  auto state = receive_oci_state(STDIN_FILENO);
  if (!state) return fail(of(state.error()));
  flags.sandbox = state->sandbox;
  auto target = target_of_process(state->pid);
  if (target) target->label = "container " + state->id;
  return attach_target(config, flags, std::move(target));
}

int detach_now(const Config& config, const AttachFlags& flags) {
  const std::string label = label_of(flags);
  if (flags.dry_run) {
    std::cout << "# close the gate's sockets and connections of " << label
              << "; its rules stay, so that nothing leaves\n";
    return 0;
  }
  auto keeper = KeeperClient::find(control_directory(config.state));
  if (!keeper) return fail(of(keeper.error()));
  if (!*keeper) return fail(of({label + " is not attached", "egret attach --list"}));
  const auto target = target_of(flags);
  auto dropped = (*keeper)->drop(label, target ? target->identity : std::string());
  if (!dropped) return fail(of(dropped.error()));
  say(flags, {{"ok", true}, {"namespace", label}},
      label + " is detached; its rules stay, and nothing leaves it. It may be attached again");
  return 0;
}

int list_now(const Config& config, const AttachFlags& flags) {
  auto keeper = KeeperClient::find(control_directory(config.state));
  if (!keeper) return fail(of(keeper.error()));
  Result<std::vector<KeptEntry>, SetupFault> kept = std::vector<KeptEntry>();
  if (*keeper) kept = (*keeper)->list();
  if (!kept) return fail(of(kept.error()));
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const KeptEntry& one : *kept) {
    if (flags.json) {
      all.push_back({{"sandbox", one.sandbox}, {"namespace", one.label}, {"state", one.state}});
    } else {
      std::cout << one.label << "  sandbox " << one.sandbox << "  " << one.state << "\n";
    }
  }
  if (flags.json) std::cout << all.dump() << "\n";
  return 0;
}

}  // namespace

int attach_verb(const AttachFlags& flags) {
  auto config = load_configuration(flags.config);
  if (!config) return fail(config.error());
  if (flags.list) return list_now(*config, flags);
  if (flags.oci_hook) return attach_for_runtime(*config, flags);
  const int named = (flags.netns ? 1 : 0) + (flags.pid ? 1 : 0) + (flags.container ? 1 : 0);
  if (named != 1)
    return fail(usage("name one namespace: --netns PATH, --pid PID or --container ID"));
  if (!flags.tap.empty() && !is_device_name(flags.tap)) {
    return fail(usage("--tap takes a device's name: at most 15 of A-Z a-z 0-9 . _ -"));
  }
  return flags.detach ? detach_now(*config, flags) : attach_now(*config, flags);
}

int keeper_verb(const std::string& control_directory) {
  protect_memory();
  Keeper(control_directory, UniqueFd(0)).run();
  return 0;
}

}  // namespace egret
