// The proxy put together as the gate does it, with one worker, on port 0, its configuration in
// memory: everything between a client's socket and an origin's is the real thing.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include "proxy/server/gate.h"
#include "proxy/session/listener.h"
#include "tests/invariants/peers.h"
#include "tests/proxy/audit/scratch.h"
#include "tests/proxy/exchange/scene.h"

namespace egret::test {

inline AddressRules pinned(const std::vector<std::pair<std::string, std::uint16_t>>& hosts) {
  AddressRules rules;
  for (const auto& [host, port] : hosts)
    rules.pins.push_back({pattern(host), IpAddress::v4(0x7f000001), port});
  return rules;
}

class Assembled {
 public:
  explicit Assembled(const Root* root = nullptr, const AuditOptions& audit = {}) {
    auto log = AuditLog::open(scratch_.file(), 1, audit);
    REQUIRE(log.has_value());
    shared_.audit = std::move(*log);
    StorePtr trust(X509_STORE_new());
    if (root != nullptr) X509_STORE_add_cert(trust.get(), root->made.certificate.get());
    std::promise<std::shared_ptr<const OriginTls>> ready;
    ready.set_value(std::make_shared<const OriginTls>(std::move(trust)));
    shared_.origin_tls = ready.get_future().share();
    worker_ = std::make_unique<Worker>(shared_, 0);
  }
  ~Assembled() { stop(); }

  // Its sandbox on a port of its own.
  std::uint16_t add(SnapshotPtr snapshot, const SandboxLimits& limits = {}) {
    auto authority = CertificateAuthority::generate(snapshot->sandbox, {});
    REQUIRE(authority.has_value());
    sandboxes_.push_back(std::make_shared<Sandbox>(
        std::move(snapshot), std::make_shared<const CertificateAuthority>(std::move(*authority)),
        "", limits));
    const auto fd = listen_tcp("127.0.0.1", 0, "test");
    REQUIRE(fd.has_value());
    auto facts = std::make_shared<ListenerFacts>();
    facts->sandbox = sandboxes_.back();
    const auto bound = local_address(*fd);
    shared_.own_listeners.push_back(*bound);
    asio::post(worker_->context(), [this, listener = std::make_shared<const UniqueFd>(*fd), facts] {
      listen_on(*worker_, listener, facts);
    });
    return bound->port;
  }
  void start() {
    thread_ = std::thread([this] { worker_->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    worker_->context().stop();
    thread_.join();
    worker_->settle();
    worker_.reset();
    shared_.audit.reset();
  }
  Sandbox& sandbox(std::size_t index = 0) { return *sandboxes_.at(index); }
  // As a reload does it.
  void replace(SnapshotPtr snapshot, std::size_t index = 0) {
    sandboxes_.at(index)->replace(std::move(snapshot));
    std::promise<void> done;
    asio::post(worker_->context(), [this, &done] {
      worker_->policy_changed();
      done.set_value();
    });
    done.get_future().wait();
  }

  std::string audit_text() const {
    std::ifstream in(scratch_.file());
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // What is in the file; with stop() before it, all there will be.
  std::vector<nlohmann::json> records(const std::string& event) const {
    std::vector<nlohmann::json> out;
    std::istringstream lines(audit_text());
    for (std::string line; std::getline(lines, line);) {
      if (line.empty()) continue;
      auto record = nlohmann::json::parse(line, nullptr, false);
      REQUIRE_MESSAGE(!record.is_discarded(), line);
      if (record["event"] == event) out.push_back(std::move(record));
    }
    return out;
  }

 private:
  audit_test::Scratch scratch_;
  GateShared shared_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::shared_ptr<Sandbox>> sandboxes_;
  std::thread thread_;
};

inline SnapshotPtr policy_of(std::vector<Rule> rules, AddressRules addresses = {},
                             std::vector<Grant> grants = {}, const std::string& sandbox = "web") {
  return make_snapshot(sandbox, 1, Policy(std::move(rules)), GrantTable(std::move(grants)),
                       std::move(addresses));
}

// A client's TLS without verification: what is tested is the gate.
inline ContextPtr any_client_tls() {
  return ContextPtr{SSL_CTX_new(TLS_client_method())};
}

inline std::string get(const std::string& host, const std::string& path,
                       const std::string& more = {}) {
  return "GET " + path + " HTTP/1.1\r\nhost: " + host + "\r\n" + more + "\r\n";
}

// A tunnel through the proxy to this name, with TLS inside.
class TlsClient {
 public:
  TlsClient(std::uint16_t gate, const std::string& host, const std::string& name,
            unsigned port = 443)
      : peer(connected(gate)) {
    peer.send("CONNECT " + host + ":" + std::to_string(port) + " HTTP/1.1\r\nhost: " + host +
              "\r\n\r\n");
    connect_answer = peer.receive_message();
    if (connect_answer.starts_with("HTTP/1.1 200")) alert = peer.connect_tls(tls_.get(), name);
  }
  TlsClient(std::uint16_t gate, const std::string& host) : TlsClient(gate, host, host) {}
  std::string ask(const std::string& request) {
    peer.send(request);
    return peer.receive_message();
  }
  Peer peer;
  std::string connect_answer;
  int alert = -1;

 private:
  ContextPtr tls_ = any_client_tls();
};

inline int status(const std::string& message) {
  return message.starts_with("HTTP/1.1 ") ? std::stoi(message.substr(9, 3)) : 0;
}

}  // namespace egret::test
