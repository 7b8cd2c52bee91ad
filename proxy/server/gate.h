// The gate: workers, sandboxes, listeners and the audit log put together, started, reloaded and
// stopped. The only place besides main that knows everything (DESIGN part 3).
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/server/activated_sockets.h"
#include "proxy/server/sd_notify.h"
#include "proxy/server/setup.h"
#include "proxy/session/connection.h"
#include "proxy/session/sandbox.h"
#include "proxy/session/worker.h"
#include "sandbox-glue/namespace/sockets.h"

namespace egret {

// Makes the setup again, from the same command line; for reload.
using MakeSetup = std::function<Result<GateSetup, Failure>()>;

class Gate {
 public:
  // Opens the audit log, makes the workers and reads the secrets. Starts threads: not before a
  // fork. `mode` stands in the start record: `run` or `serve`.
  static Result<std::unique_ptr<Gate>, Failure> create(GateSetup setup, MakeSetup again,
                                                       std::string mode);
  ~Gate();

  // For `run` the authority is in memory; for `serve` it is on disk.
  Result<void, Failure> add_sandbox(const SandboxSetup& sandbox, CertificateAuthority authority,
                                    SnapshotPtr snapshot);
  // The explicit and redirect listeners of the file, on the sockets that a service manager opened
  // for them, and else on its own. Says on stderr where it listens.
  Result<void, Failure> open_listeners(ActivatedSockets activated = {});
  // Serves a namespace's sockets as this sandbox, for as long as the gate runs: `egret run`.
  void attach(const std::string& sandbox, NamespaceSockets sockets);

  // For namespaces that come and go while the gate runs; from any thread, after start(). `label`
  // is how people and records name the namespace; each is served once. A refusal's text is for the
  // one who asked.
  Result<void, Failure> attachable(const std::string& sandbox) const;
  Result<void, Failure> attach(const std::string& sandbox, const std::string& label,
                               NamespaceSockets sockets);
  // Closes its sockets and its connections; false where there is no such attachment.
  bool detach(const std::string& label);

  // Who hears of reloads.
  void report_to(ServiceManager manager) { manager_ = std::move(manager); }
  // One line for a service manager's status.
  std::string status_line() const;

  void start();
  void stop();

  // Atomic: all of the new, or the old goes on and the text says why.
  Result<void, Failure> reload();
  std::string status_json() const;

  const Config& config() const { return config_; }
  const std::string& mode() const { return mode_; }
  Sandbox* sandbox(const std::string& name) const;

 private:
  Gate(GateSetup setup, MakeSetup again, std::string mode);
  Result<void, Failure> open_tcp(const ListenTcp& where, std::shared_ptr<ListenerFacts> facts,
                                 const Listen& listen, ActivatedSockets& activated);
  Result<void, Failure> open_redirect(const ListenRedirect& where,
                                      std::shared_ptr<ListenerFacts> facts, const Listen& listen);
  Result<void, Failure> open_unix(const ListenUnix& where, std::shared_ptr<ListenerFacts> facts,
                                  const Listen& listen, ActivatedSockets& activated);
  Result<void, Failure> load_again();
  void listen_everywhere(UniqueFd socket, const std::shared_ptr<const ListenerFacts>& facts,
                         const std::vector<AttachmentPartPtr>& parts = {});
  std::vector<AttachmentPartPtr> serve_sockets(const std::shared_ptr<Sandbox>& sandbox,
                                               NamespaceSockets sockets);
  void record(std::string_view what, std::string_view sandbox, std::string_view detail);
  // The same, in the file before it returns; false where it cannot be written.
  bool recorded(std::string_view what, std::string_view sandbox, std::string_view detail);

  Config config_;
  MakeSetup again_;
  std::string mode_;
  ServiceManager manager_;
  GateShared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::map<std::string, std::shared_ptr<Sandbox>> sandboxes_;  // fixed once started
  std::vector<std::pair<std::string, SocketAddress>> bound_;   // by the line of the file
  std::size_t listeners_ = 0;
  std::vector<std::string> unix_paths_;
  struct Attached {
    std::string sandbox;
    std::uint64_t cookie;  // SO_NETNS_COOKIE of its sockets
    std::vector<AttachmentPartPtr> parts;
  };
  mutable std::mutex attached_mutex_;
  std::map<std::string, Attached> attached_;  // by label
  std::atomic<std::size_t> dns_turn_{0};
  std::mutex reload_mutex_;
  std::atomic<std::uint64_t> generation_{1};
  bool running_ = false;
};

// A listening TCP socket, non-blocking; port 0 takes a free one.
Result<int, Failure> listen_tcp(const std::string& address, std::uint16_t port,
                                const std::string& source);

}  // namespace egret
