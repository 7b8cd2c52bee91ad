// The effective configuration for people: one rule a line, in columns, with where each came from.
#include <algorithm>

#include "config/config.h"
#include "config/schema/hosts.h"
#include "policy/target/address_class.h"

namespace egret {
namespace {

using Row = std::vector<std::string>;

std::string aligned(const std::vector<Row>& rows, std::string_view indentation) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line(indentation);
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      // A column that is empty in every row takes no room.
      if (widths[i] > 0) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

template <class List, class Text>
std::string joined(const List& list, Text&& text_of, std::string_view between = ", ") {
  std::string text;
  for (const auto& item : list) {
    if (!text.empty()) text += between;
    text += text_of(item);
  }
  return text;
}

std::string identity(const std::string& text) {
  return text;
}

std::string address_and_port(const std::string& address, std::uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

Row rule_row(const Rule& rule) {
  std::string extra = rule.tunnel ? "tunnel" : "";
  if (rule.effect == Effect::allow && schema::is_wide(rule.host)) {
    extra += extra.empty() ? "dangerously wide" : ", dangerously wide";
  }
  const auto port_text = [](std::uint16_t port) { return std::to_string(port); };
  const auto path_text = [](const PathPattern& path) { return path.text(); };
  return {rule.effect == Effect::allow ? "allow" : "deny",
          rule.host.text(),
          rule.ports.empty() ? "" : "port " + joined(rule.ports, port_text),
          joined(rule.methods, identity),
          joined(rule.paths, path_text),
          extra,
          rule.source};
}

std::string source_text(const SecretSource& source) {
  if (const auto* env = std::get_if<SecretSourceEnv>(&source)) return "env:" + env->variable;
  if (const auto* file = std::get_if<SecretSourceFile>(&source)) return "file:" + file->path;
  if (const auto* kept = std::get_if<SecretSourceCredential>(&source))
    return "credential:" + kept->credential;
  return "exec:" + joined(std::get<SecretSourceExec>(source).argv, identity, " ");
}

Row secret_row(const SecretConfig& secret) {
  const auto host_text = [](const HostPattern& host) { return host.text(); };
  const auto place_text = [](const Place& place) { return place.text(); };
  return {"secret",
          secret.name,
          "from " + source_text(secret.from),
          "to " + joined(secret.hosts, host_text),
          "in " + joined(secret.in, place_text),
          secret.foreign == Foreign::allow ? "foreign credentials allowed" : "",
          secret.source};
}

std::string sandbox_text(const Config& config, const SandboxConfig& sandbox) {
  std::string text = "\nsandbox " + sandbox.name;
  if (!sandbox.profiles.empty()) text += " (" + joined(sandbox.profiles, identity) + ")";
  text += ", " + sandbox.source + "\n";
  std::vector<Row> rows;
  // Deny beats allow whatever the order: show it first.
  for (const Effect effect : {Effect::deny, Effect::allow}) {
    for (const Rule& rule : sandbox.rules) {
      if (rule.effect == effect) rows.push_back(rule_row(rule));
    }
  }
  text += aligned(rows, "  ");
  text += rows.empty() ? "  denies everything\n" : "  everything else is denied\n";
  std::vector<Row> secrets;
  for (const std::string& name : sandbox.secrets) {
    const auto secret = config.secrets.find(name);
    if (secret != config.secrets.end()) secrets.push_back(secret_row(secret->second));
  }
  return text + aligned(secrets, "  ");
}

Row listen_row(const Listen& listen) {
  std::string where;
  if (const auto* tcp = std::get_if<ListenTcp>(&listen.where)) {
    where = address_and_port(tcp->address, tcp->port);
  } else if (const auto* redirect = std::get_if<ListenRedirect>(&listen.where)) {
    where = "redirect " + address_and_port(redirect->address, redirect->port);
  } else {
    where = "unix " + std::get<ListenUnix>(listen.where).path;
  }
  return {"listen", where,
          listen.sandbox ? "sandbox " + *listen.sandbox : "sandbox named by credentials",
          listen.source};
}

std::string head_text(const Config& config) {
  std::vector<Row> rows{{"config", config.file.empty() ? "built-in defaults" : config.file},
                        {"state", config.state},
                        {"audit", config.audit_file}};
  if (config.workers) rows.push_back({"workers", std::to_string(*config.workers)});
  for (const std::string& file : config.origins.ca_files)
    rows.push_back({"origin CA", file});
  for (const ResolvePin& pin : config.origins.resolve) {
    const std::string address = pin.address.text();
    rows.push_back({"resolve", pin.host.text() + " to " +
                                   (pin.port ? address_and_port(address, *pin.port) : address)});
  }
  for (const Cidr& range : config.origins.allow_addresses) {
    rows.push_back({"addresses opened", range.text()});
  }
  if (const auto& via = config.origins.via) {
    rows.push_back({"via", "http://" + via->host.authority_text() + ":" +
                               std::to_string(via->port) +
                               (via->authorization ? " with credentials" : "")});
  }
  for (const HostPattern& host : config.origins.bypass)
    rows.push_back({"bypass", host.text()});
  for (const ClientCertConfig& one : config.origins.client_certs) {
    const auto host_text = [](const HostPattern& host) { return host.text(); };
    rows.push_back({"client certificate", one.cert_file + " with key " + one.key_file + " to " +
                                              joined(one.hosts, host_text)});
  }
  std::vector<Row> listens;
  for (const Listen& listen : config.listen)
    listens.push_back(listen_row(listen));
  return aligned(rows, "") + aligned(listens, "");
}

}  // namespace

std::string show_config(const Config& config, const std::optional<std::string>& sandbox) {
  std::string text = head_text(config);
  for (const auto& [name, one] : config.sandboxes) {
    if (!sandbox || *sandbox == name) text += sandbox_text(config, one);
  }
  if (sandbox && !config.sandboxes.contains(*sandbox)) {
    text += "\nsandbox " + *sandbox + " is unknown: everything is denied\n";
  }
  return text;
}

std::vector<std::string> dangerous_settings(const Config& config) {
  std::vector<std::string> lines;
  for (const auto& [name, sandbox] : config.sandboxes) {
    for (const Rule& rule : sandbox.rules) {
      if (rule.effect != Effect::allow) continue;
      const std::string host = "sandbox " + name + ": `" + rule.host.text() + "` ";
      if (schema::is_wide(rule.host)) lines.push_back(host + "is allowed by " + rule.source);
      if (rule.tunnel) lines.push_back(host + "is a tunnel that nobody looks into, " + rule.source);
    }
  }
  for (const auto& [name, secret] : config.secrets) {
    if (secret.foreign != Foreign::allow) continue;
    lines.push_back("secret " + name + ": other credentials may go to its hosts, " + secret.source);
  }
  for (const Listen& listen : config.listen) {
    const auto* tcp = std::get_if<ListenTcp>(&listen.where);
    if (tcp == nullptr || !listen.sandbox) continue;
    const auto address = IpAddress::parse(tcp->address);
    if (address && classify(*address) == AddressClass::loopback) continue;
    lines.push_back("listener " + address_and_port(tcp->address, tcp->port) +
                    ": whoever can reach it is sandbox " + *listen.sandbox +
                    " and needs no credentials (leave `sandbox` out to ask for them), " +
                    listen.source);
  }
  return lines;
}

}  // namespace egret
