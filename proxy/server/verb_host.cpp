// host apply, remove and show: a user of this machine behind a gate's redirect listener.
#include <iostream>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "proxy/server/control.h"
#include "proxy/server/verbs.h"
#include "sandbox-glue/host/confined_user.h"
#include "sandbox-glue/host/host_firewall.h"
#include "sandbox-glue/host/open_connections.h"

namespace egret {
namespace {

constexpr int exit_usage = 2;
constexpr int exit_no_setup = 77;

Failure failure_of(const SetupFault& fault, int exit_code = exit_no_setup) {
  return {"egret: " + fault.what + (fault.remedy.empty() ? "" : "\n  try: " + fault.remedy),
          exit_code};
}

// The gate that serves the listener, as far as it can be told without one running.
struct RedirectGate {
  std::string sandbox;
  std::string source;
  std::uint16_t port = 0;
  bool runs = false;
  std::vector<uid_t> users;  // who it runs as, or who owns its state
};

Result<Listen, Failure> find_redirect(const Config& config,
                                      const std::optional<std::string>& sandbox) {
  const std::string file = config.file.empty() ? "egret.yaml" : config.file;
  const Listen* found = nullptr;
  for (const Listen& listen : config.listen) {
    if (!std::holds_alternative<ListenRedirect>(listen.where)) continue;
    if (sandbox && listen.sandbox != sandbox) continue;
    if (found != nullptr) {
      return Failure{"egret: " + found->source + " and " + listen.source +
                         " both redirect; say whose with --sandbox NAME",
                     exit_usage};
    }
    found = &listen;
  }
  if (found == nullptr) {
    return Failure{file + ": no listener for redirected connections" +
                       (sandbox ? " of sandbox " + *sandbox : "") +
                       "; write e.g.\n  listen:\n    - redirect: 127.0.0.1:3129\n      sandbox: " +
                       sandbox.value_or("web"),
                   exit_usage};
  }
  const auto& where = std::get<ListenRedirect>(found->where);
  if (where.address != "127.0.0.1" && where.address != "::1") {
    return Failure{found->source +
                       ": packets of this machine's users are redirected to loopback; "
                       "write `redirect: 127.0.0.1:" +
                       std::to_string(where.port) + "`",
                   exit_usage};
  }
  return *found;
}

Result<RedirectGate, Failure> find_gate(const Config& config, const Listen& listen) {
  RedirectGate gate{listen.sandbox.value_or(""),
                    listen.source,
                    std::get<ListenRedirect>(listen.where).port,
                    false,
                    {}};
  struct stat state {};
  if (::stat(config.state.c_str(), &state) == 0) gate.users.push_back(state.st_uid);
  for (const GateAnswer& answer : ask_gates(config.state, "status")) {
    const auto status = nlohmann::json::parse(answer.json, nullptr, false);
    if (!status.is_object() || !status.contains("listeners")) continue;
    for (const auto& one : status["listeners"]) {
      if (one.value("source", std::string()) != listen.source) continue;
      gate.runs = true;
      gate.port = one.value("port", gate.port);
      gate.users.push_back(status.value("uid", uid_t{0}));
    }
  }
  if (gate.port == 0) {
    return Failure{listen.source + ": with port 0, a gate has to be running to tell the port",
                   exit_usage};
  }
  return gate;
}

Result<HostRules, Failure> rules_for(const HostFlags& flags, const ConfinedUser& user,
                                     const RedirectGate& gate) {
  for (const uid_t own : gate.users) {
    if (!contains(user.uids, own)) continue;
    return Failure{"egret: " + user.name +
                       " is the gate's own user: its way out would lead to "
                       "itself, and an agent of the same user reads the gate's "
                       "keys\n  try: a user of its own for the gate",
                   exit_usage};
  }
  HostRules rules;
  rules.uid = user.uid;
  rules.uids = user.uids;
  rules.port = gate.port;
  for (const std::string& text : flags.loopback_ports) {
    const auto range = parse_port_range(text);
    if (!range) {
      return Failure{"egret: --loopback-port \"" + text + "\"; write 8080 or 3000-3010",
                     exit_usage};
    }
    if (range->first <= gate.port && gate.port <= range->last) {
      return Failure{"egret: --loopback-port " + text + " holds the gate's own port", exit_usage};
    }
    rules.loopback_ports.push_back(*range);
  }
  rules.loopback_ports = merged(std::move(rules.loopback_ports));
  if (flags.cgroup) {
    auto path = CgroupPath::parse(*flags.cgroup);
    if (!path) return failure_of(path.error(), exit_usage);
    rules.cgroup = std::move(*path);
  }
  return rules;
}

// Daemons that open connections for whoever asks: no rule about a user meets what they send.
void warn_of_helpers(const ConfinedUser& user) {
  for (const char* path :
       {"/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket", "/run/docker.sock"}) {
    struct stat status {};
    if (::stat(path, &status) != 0 || (status.st_mode & S_IWOTH) == 0) continue;
    std::cerr << "egret: take note: the daemon behind " << path << " talks to the network for "
              << user.name << ", past the gate; stop it, or hide the socket (host/README.md)\n";
  }
}

// As far as rules cannot: see open_connections.h.
void end_open_connections(const ConfinedUser& user, const HostRules& rules) {
  if (rules.cgroup) {
    std::cerr << "egret: take note: connections that the cgroup has open now are not ended, only "
                 "stopped\n";
    return;
  }
  const auto ended = abort_connections(rules.uids);
  if (!ended) {
    std::cerr << "egret: take note: " << ended.error().what << ": what " << user.name
              << " had open may still send what was written; end its processes\n";
  } else if (*ended > 0) {
    std::cerr << "egret: " << *ended << " open connections of " << user.name << " were ended\n";
  }
}

void say_applied(const ConfinedUser& user, const RedirectGate& gate, const HostApplied& applied) {
  if (!applied.refused.empty()) {
    std::cerr << "egret: nft cannot be used here (" << applied.refused << ")\n";
  }
  std::cerr << "egret: " << user.name << " (uid " << user.uid << "): TCP and DNS go to port "
            << gate.port << ", sandbox " << gate.sandbox << ", " << gate.source
            << "; everything else is refused (" << name(applied.backend)
            << (applied.replaced ? ", replaced" : "") << ")\n";
  if (!gate.runs) {
    std::cerr << "egret: take note: no gate answers there yet; until one runs, nothing of "
              << user.name << " gets out\n";
  }
}

nlohmann::ordered_json json_of(const HostUserCounts& one) {
  nlohmann::ordered_json out;
  out["user"] = user_name(one.counts.uid);
  out["uid"] = one.counts.uid;
  out["rules"] = name(one.backend);
  out["port"] = one.counts.port;
  out["redirected"] = one.counts.redirected;
  out["refused"] = one.counts.refused;
  return out;
}

}  // namespace

int host_apply_verb(const HostFlags& flags) {
  auto user = find_confined_user(flags.user);
  if (!user) return fail(failure_of(user.error(), exit_usage));
  auto config = load_configuration(flags.config);
  if (!config) return fail(config.error());
  auto listen = find_redirect(*config, flags.sandbox);
  if (!listen) return fail(listen.error());
  auto gate = find_gate(*config, *listen);
  if (!gate) return fail(gate.error());
  auto rules = rules_for(flags, *user, *gate);
  if (!rules) return fail(rules.error());
  const BackendChoice choice = flags.iptables ? BackendChoice::iptables : BackendChoice::automatic;
  if (flags.dry_run) {
    std::cout << describe_host_rules(*rules, choice);
    return 0;
  }
  if (const auto fault = needs_root()) return fail(failure_of(*fault));
  auto applied = apply_host_rules(*rules, choice);
  if (!applied) return fail(failure_of(applied.error()));
  say_applied(*user, *gate, *applied);
  if (!applied->replaced) end_open_connections(*user, *rules);
  warn_of_helpers(*user);
  return 0;
}

int host_remove_verb(const HostFlags& flags) {
  auto user = find_confined_user(flags.user);
  if (!user) return fail(failure_of(user.error(), exit_usage));
  if (const auto fault = needs_root()) return fail(failure_of(*fault));
  const auto removed = remove_host_rules(user->uid);
  if (!removed) return fail(failure_of(removed.error()));
  std::cerr << "egret: " << user->name << " (uid " << user->uid << "): "
            << (*removed ? "removed; nothing holds it any more" : "there was nothing to remove")
            << "\n";
  return 0;
}

int host_show_verb(const HostFlags& flags) {
  std::optional<uid_t> only;
  if (!flags.user.empty()) {
    auto user = find_confined_user(flags.user);
    if (!user) return fail(failure_of(user.error(), exit_usage));
    only = user->uid;
  }
  if (const auto fault = needs_root()) return fail(failure_of(*fault));
  auto counts = host_counts();
  if (!counts) return fail(failure_of(counts.error()));
  if (only) std::erase_if(*counts, [&](const auto& one) { return one.counts.uid != *only; });
  if (flags.json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const HostUserCounts& one : *counts)
      all.push_back(json_of(one));
    std::cout << all.dump() << "\n";
  } else {
    for (const HostUserCounts& one : *counts) {
      std::cout << user_name(one.counts.uid) << " (uid " << one.counts.uid << ")  to port "
                << one.counts.port << "  redirected " << one.counts.redirected << "  refused "
                << one.counts.refused << "  " << name(one.backend) << "\n";
    }
    if (counts->empty()) std::cerr << "egret: nobody is confined\n";
  }
  return counts->empty() && only ? 1 : 0;
}

}  // namespace egret
