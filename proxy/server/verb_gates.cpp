// audit, status and reload: the verbs that look at or talk to gates.
#include <csignal>
#include <iostream>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "proxy/audit/reader.h"
#include "proxy/server/control.h"
#include "proxy/server/verbs.h"

namespace egret {
namespace {

volatile std::sig_atomic_t interrupted = 0;

constexpr int exit_not_intact = 1;

}  // namespace

int fail(const Failure& failure) {
  std::cerr << failure.text << std::endl;
  return failure.exit_code;
}

int audit_verb(const std::string& what, const AuditFlags& flags) {
  AuditQuery query;
  query.sandbox = flags.sandbox;
  query.since = flags.since;
  query.denied = flags.denied;
  query.json = flags.json;
  query.colour = ::isatty(STDOUT_FILENO) == 1 && !flags.json;
  if (flags.file) {
    query.file = *flags.file;
  } else {
    auto config = load_configuration(flags.config);
    if (!config) return fail(config.error());
    query.file = config->audit_file;
  }
  if (what == "verify") {
    const auto report = audit_verify(query);
    if (!report) return fail({"egret: " + report.error().what, 2});
    std::cout << (flags.json ? report->json : report->text);
    if (!(flags.json ? report->json : report->text).ends_with('\n')) std::cout << "\n";
    return report->intact ? 0 : exit_not_intact;
  }
  Result<std::size_t, AuditFault> shown = std::size_t{0};
  if (what == "tail") {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    shown = audit_tail(query, std::cout, [] { return interrupted != 0 || !std::cout; });
  } else {
    shown = what == "summary" ? audit_summary(query, std::cout) : audit_show(query, std::cout);
  }
  if (!shown) return fail({"egret: " + shown.error().what, 2});
  return 0;
}

int status_verb(const std::optional<std::string>& path, bool json) {
  auto config = load_configuration(path);
  if (!config) return fail(config.error());
  const auto answers = ask_gates(config->state, "status");
  if (answers.empty())
    return fail({"egret: no gate is running on the state directory " + config->state, 1});
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const GateAnswer& answer : answers) {
    auto one = nlohmann::ordered_json::parse(answer.json, nullptr, false);
    if (!one.is_discarded()) all.push_back(std::move(one));
  }
  if (json) {
    std::cout << (all.size() == 1 ? all.front().dump() : all.dump()) << "\n";
    return 0;
  }
  for (const auto& gate : all) {
    std::cout << "gate " << gate["pid"] << "  " << gate["mode"].get<std::string>() << "  "
              << (gate["config"].get<std::string>().empty() ? "(no file)"
                                                            : gate["config"].get<std::string>())
              << "  generation " << gate["generation"] << "\n";
    std::cout << "  audit " << gate["audit"]["file"].get<std::string>() << "  "
              << gate["audit"]["records"] << " records"
              << (gate["audit"]["failing"].get<bool>() ? "  NOT WRITABLE: traffic is stopped" : "")
              << "\n";
    for (const auto& sandbox : gate["sandboxes"]) {
      std::cout << "  sandbox " << sandbox["name"].get<std::string>() << "  " << sandbox["requests"]
                << " requests, " << sandbox["denials"] << " denied, " << sandbox["connections"]
                << " connections\n";
    }
    for (const auto& attached : gate["attached"]) {
      std::cout << "  attached " << attached["namespace"].get<std::string>() << "  sandbox "
                << attached["sandbox"].get<std::string>() << "\n";
    }
  }
  return 0;
}

int reload_verb(const std::optional<std::string>& path, bool json) {
  // A file with errors is found here too: where the gate keeps its sockets comes from it.
  auto config = load_configuration(path);
  if (!config) {
    // The gate is asked all the same, so that it records what it refused; where a broken file keeps
    // its state cannot be read, so the usual place is tried.
    ask_gates(default_config(places_from_environment()).state, "reload");
    std::cerr << config.error().text << "\negret: the policy stays as it was\n";
    return config.error().exit_code;
  }
  const auto answers = ask_gates(config->state, "reload");
  if (answers.empty())
    return fail({"egret: no gate is running on the state directory " + config->state, 1});
  int status = 0;
  for (const GateAnswer& answer : answers) {
    const auto one = nlohmann::json::parse(answer.json, nullptr, false);
    const bool ok = !one.is_discarded() && one.value("ok", false);
    if (json) {
      std::cout << answer.json << "\n";
    } else if (ok) {
      std::cout << "gate " << answer.pid << ": reloaded\n";
    } else {
      std::cerr << one.value("error", std::string("no answer")) << "\negret: gate " << answer.pid
                << " keeps the policy it had\n";
    }
    if (!ok) status = 2;
  }
  return status;
}

}  // namespace egret
