#include "proxy/server/gate.h"

#include <algorithm>
#include <cstdio>
#include <future>
#include <iostream>
#include <set>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include "proxy/secrets/placeholder_store.h"
#include "proxy/server/hardening.h"

namespace egret {
namespace {

using TlsPtr = std::shared_ptr<const OriginTls>;

using Certificates = std::vector<ClientCertificate>;

Result<std::shared_future<TlsPtr>, Failure> load_trust(const std::vector<std::string>& ca_files,
                                                       Certificates certificates) {
  if (ca_files.empty()) {
    return std::async(
               std::launch::async,
               [shown = std::move(certificates)]() mutable -> TlsPtr {
                 auto trust = load_origin_trust({});
                 StorePtr store =
                     trust ? std::move(*trust) : StorePtr(X509_STORE_new());  // trusts nothing
                 return std::make_shared<const OriginTls>(std::move(store), std::move(shown));
               })
        .share();
  }
  // Files that a person named: an error now, not at the first request.
  auto trust = load_origin_trust(ca_files);
  if (!trust) return Failure{"egret: origins.ca_files: " + trust.error().what, 2};
  std::promise<TlsPtr> ready;
  ready.set_value(std::make_shared<const OriginTls>(std::move(*trust), std::move(certificates)));
  return ready.get_future().share();
}

// A sandbox may hold a quarter of the descriptors: each connection needs two.
SandboxLimits sandbox_limits() {
  SandboxLimits limits;
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur != RLIM_INFINITY) {
    limits.connections_max = std::min<std::size_t>(
        limits.connections_max, std::max<std::size_t>(32, descriptors.rlim_cur / 8));
  }
  return limits;
}

std::string text_of(const Listen& listen) {
  const std::string sandbox = listen.sandbox.value_or("");
  if (const auto* unix_socket = std::get_if<ListenUnix>(&listen.where)) {
    return unix_socket->path + sandbox;
  }
  const auto* tcp = std::get_if<ListenTcp>(&listen.where);
  const auto* redirect = std::get_if<ListenRedirect>(&listen.where);
  return tcp != nullptr ? tcp->address + std::to_string(tcp->port) + sandbox
                        : "redirect" + redirect->address + std::to_string(redirect->port) + sandbox;
}

bool same_via(const std::optional<ViaConfig>& a, const std::optional<ViaConfig>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  const auto credentials = [](const ViaConfig& via) {
    return via.authorization ? via.authorization->reveal() : std::string_view();
  };
  return a->host == b->host && a->port == b->port && credentials(*a) == credentials(*b);
}

bool same_client_cert(const ClientCertConfig& a, const ClientCertConfig& b) {
  return a.hosts == b.hosts && a.cert_file == b.cert_file && a.key_file == b.key_file;
}

// Keys that a reload does not touch, as far as they differ.
std::string restart_needed_for(const Config& now, const Config& wanted) {
  std::string keys;
  const auto add = [&](bool differs, std::string_view key) {
    if (differs) keys += (keys.empty() ? "" : ", ") + std::string(key);
  };
  const auto same = [](const Listen& a, const Listen& b) { return text_of(a) == text_of(b); };
  add(!std::equal(now.listen.begin(), now.listen.end(), wanted.listen.begin(), wanted.listen.end(),
                  same),
      "listen");
  add(now.workers != wanted.workers, "workers");
  add(now.state != wanted.state, "state");
  add(now.audit_file != wanted.audit_file, "audit");
  add(now.origins.ca_files != wanted.origins.ca_files, "origins.ca_files");
  add(!same_via(now.origins.via, wanted.origins.via), "origins.via");
  add(now.origins.bypass != wanted.origins.bypass, "origins.bypass");
  add(!std::equal(now.origins.client_certs.begin(), now.origins.client_certs.end(),
                  wanted.origins.client_certs.begin(), wanted.origins.client_certs.end(),
                  same_client_cert),
      "origins.client_certs");
  return keys;
}

}  // namespace

Gate::Gate(GateSetup setup, MakeSetup again, std::string mode)
    : config_(std::move(setup.config)), again_(std::move(again)), mode_(std::move(mode)) {}

Result<std::unique_ptr<Gate>, Failure> Gate::create(GateSetup setup, MakeSetup again,
                                                    std::string mode) {
  std::unique_ptr<Gate> gate(new Gate(std::move(setup), std::move(again), std::move(mode)));
  raise_descriptor_limit();
  const unsigned workers =
      gate->config_.workers.value_or(std::max(1U, std::thread::hardware_concurrency()));
  auto audit = AuditLog::open(gate->config_.audit_file, workers);
  if (!audit) return Failure{"egret: " + audit.error().what, 2};
  gate->shared_.audit = std::move(*audit);
  auto certificates = client_certificates(gate->config_);
  if (!certificates) return certificates.error();
  auto trust = load_trust(gate->config_.origins.ca_files, std::move(*certificates));
  if (!trust) return trust.error();
  gate->shared_.upstream_proxy = upstream_proxy(gate->config_);
  gate->shared_.origin_tls = std::move(*trust);
  gate->shared_.sandbox_named = [gate = gate.get()](
                                    std::string_view name,
                                    std::string_view token) -> std::shared_ptr<Sandbox> {
    const auto found = gate->sandboxes_.find(std::string(name));
    return found != gate->sandboxes_.end() && found->second->token_is(token) ? found->second
                                                                             : nullptr;
  };
  for (unsigned i = 0; i < workers; ++i)
    gate->workers_.push_back(std::make_unique<Worker>(gate->shared_, i));
  return gate;
}

Gate::~Gate() {
  stop();
}

Result<void, Failure> Gate::add_sandbox(const SandboxSetup& sandbox, CertificateAuthority authority,
                                        SnapshotPtr snapshot) {
  auto token = proxy_token(config_.state, sandbox.name);
  if (!token) return Failure{"egret: " + token.error().what, 2};
  sandboxes_[sandbox.name] = std::make_shared<Sandbox>(
      std::move(snapshot), std::make_shared<const CertificateAuthority>(std::move(authority)),
      std::move(*token), sandbox_limits());
  return {};
}

Sandbox* Gate::sandbox(const std::string& name) const {
  const auto found = sandboxes_.find(name);
  return found == sandboxes_.end() ? nullptr : found->second.get();
}

namespace {

std::string gate_record(std::string_view what, std::string_view sandbox, std::string_view detail) {
  GateRecord record;
  record.time = std::chrono::system_clock::now();
  record.what = what;
  record.sandbox = sandbox;
  record.detail = detail;
  std::string body;
  render(record, body);
  return body;
}

}  // namespace

void Gate::record(std::string_view what, std::string_view sandbox, std::string_view detail) {
  shared_.audit->submit_end(0, gate_record(what, sandbox, detail));
}

bool Gate::recorded(std::string_view what, std::string_view sandbox, std::string_view detail) {
  std::promise<Written> written;
  shared_.audit->submit(0, gate_record(what, sandbox, detail),
                        [&written](Written yes) { written.set_value(yes); });
  return written.get_future().get() == Written::yes;
}

void Gate::start() {
  record("start", {}, mode_ + (config_.file.empty() ? "" : " " + config_.file));
  for (const std::string& setting : dangerous_settings(config_)) {
    std::cerr << "egret: take note: " << setting << "\n";
    record("dangerous_setting", {}, setting);
  }
  for (auto& worker : workers_)
    threads_.emplace_back([&worker] { worker->run(); });
  running_ = true;
}

void Gate::stop() {
  if (!std::exchange(running_, false)) return;
  for (auto& worker : workers_)
    worker->context().stop();
  for (std::thread& thread : threads_)
    thread.join();
  threads_.clear();
  for (auto& worker : workers_)
    worker->settle();
  // Connections end with their worker and still write their ends.
  workers_.clear();
  record("stop", {}, mode_);
  shared_.audit.reset();
  for (const std::string& path : unix_paths_)
    ::unlink(path.c_str());
}

Result<void, Failure> Gate::reload() {
  const std::lock_guard lock(reload_mutex_);
  manager_.reloading();
  auto reloaded = load_again();
  manager_.ready(reloaded ? status_line()
                          : status_line() + "; reload refused: " + reloaded.error().text);
  return reloaded;
}

Result<void, Failure> Gate::load_again() {
  const std::uint64_t generation = generation_ + 1;
  std::vector<SnapshotPtr> snapshots;
  auto failed = [this](Failure failure) {
    record("reload_failed", {}, failure.text);
    if (mode_ == "serve")
      std::cerr << failure.text << "\negret: reload refused; the policy is as it was" << std::endl;
    return failure;
  };
  auto setup = again_();
  if (!setup) return failed(setup.error());
  std::set<std::string> kept;
  for (const SandboxSetup& sandbox : setup->sandboxes) {
    if (!sandboxes_.contains(sandbox.name)) {
      return failed(
          {"egret: the sandbox \"" + sandbox.name + "\" is new; a new sandbox needs a restart", 2});
    }
    auto snapshot =
        snapshot_of(sandbox, setup->config, generation, sandboxes_.at(sandbox.name)->snapshot());
    if (!snapshot) return failed(snapshot.error());
    snapshots.push_back(std::move(*snapshot));
    kept.insert(sandbox.name);
  }
  for (const SnapshotPtr& snapshot : snapshots)
    sandboxes_.at(snapshot->sandbox)->replace(snapshot);
  for (const auto& [name, sandbox] : sandboxes_) {
    // Gone from the file: nothing is allowed any more.
    if (!kept.contains(name))
      sandbox->replace(make_snapshot(name, generation, Policy(), GrantTable(), AddressRules()));
  }
  generation_ = generation;
  for (auto& worker : workers_)
    asio::post(worker->context(), [&worker] { worker->policy_changed(); });
  record("reload", {}, "generation " + std::to_string(generation));
  if (mode_ == "serve") std::cerr << "egret: reloaded" << std::endl;
  if (const std::string keys = restart_needed_for(config_, setup->config); !keys.empty()) {
    std::cerr << "egret: these keys take effect at the next start only: " << keys << std::endl;
  }
  return {};
}

std::string Gate::status_line() const {
  return std::to_string(sandboxes_.size()) + " sandboxes, " + std::to_string(listeners_) +
         " listeners, generation " + std::to_string(generation_.load());
}

std::string Gate::status_json() const {
  nlohmann::ordered_json out;
  out["pid"] = ::getpid();
  out["uid"] = ::geteuid();
  out["mode"] = mode_;
  out["config"] = config_.file;
  out["generation"] = generation_.load();
  out["workers"] = workers_.size();
  const AuditCounters counters = shared_.audit->counters();
  out["audit"] = {{"file", config_.audit_file},
                  {"records", counters.records},
                  {"refused", counters.refused},
                  {"failing", counters.failing}};
  out["listeners"] = nlohmann::ordered_json::array();
  for (const auto& [source, address] : bound_) {
    out["listeners"].push_back(
        {{"source", source}, {"address", address.address.text()}, {"port", address.port}});
  }
  out["sandboxes"] = nlohmann::ordered_json::array();
  std::uint64_t minted_by_all = 0;
  for (const auto& [name, sandbox] : sandboxes_) {
    const std::uint64_t minted = sandbox->leaves().minted();
    minted_by_all += minted;
    SandboxCounts& counts = sandbox->counts();
    out["sandboxes"].push_back({{"name", name},
                                {"requests", counts.requests.load()},
                                {"denials", counts.denials.load()},
                                {"connections", counts.connections.load()},
                                {"leaves_minted", minted}});
  }
  out["leaves_minted"] = minted_by_all;
  out["attached"] = nlohmann::ordered_json::array();
  const std::lock_guard lock(attached_mutex_);
  for (const auto& [label, attached] : attached_)
    out["attached"].push_back({{"sandbox", attached.sandbox}, {"namespace", label}});
  return out.dump();
}

}  // namespace egret
