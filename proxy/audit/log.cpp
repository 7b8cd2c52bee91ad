#include "proxy/audit/log.h"

#include <atomic>
#include <csignal>
#include <future>
#include <thread>
#include <utility>

#include "proxy/audit/file.h"
#include "proxy/audit/system.h"
#include "proxy/audit/writer.h"

namespace egret {
namespace {

// Signals are for other threads; and a write past RLIMIT_FSIZE or into a pipe without a reader must
// come back as an error instead of ending the process.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

struct AuditLog::State {
  std::unique_ptr<AuditSystem> own_system;
  AuditOptions options;
  std::unique_ptr<AuditWriter> writer;
  std::promise<void> finished;
  std::atomic<bool> one_left{false};  // the second of owner and writer thread to leave deletes
  std::thread writer_thread;
  std::thread watch_thread;
};

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<AuditLog>, AuditFault> AuditLog::open(const std::string& path,
                                                             unsigned lanes,
                                                             const AuditOptions& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  if (options.system == nullptr) {
    state->own_system = std::make_unique<AuditSystem>();
    state->options.system = state->own_system.get();
  }
  auto file = AuditFile::open(path, *state->options.system);
  if (!file) return file.error();
  state->writer = std::make_unique<AuditWriter>(std::move(*file), lanes, state->options);
  State* const shared = state.get();
  const AllSignalsBlocked blocked;
  state->writer_thread = std::thread([shared] {
    shared->writer->run();
    shared->finished.set_value();
    if (shared->one_left.exchange(true)) delete shared;
  });
  state->watch_thread = std::thread([shared] { shared->writer->watch(); });
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(state)));
}

AuditLog::~AuditLog() {
  AuditWriter& writer = *state_->writer;
  auto finished = state_->finished.get_future();
  writer.stop();
  // A little more than the writer allows itself: only a hanging system call takes longer.
  const auto wait_max = state_->options.drain_max + std::chrono::milliseconds(250);
  const bool in_time = finished.wait_for(wait_max) == std::future_status::ready;
  writer.stop_watch();
  state_->watch_thread.join();
  if (in_time) {
    state_->writer_thread.join();
  } else {
    // It may come back from its system call at any time and must find its state.
    state_->writer_thread.detach();
    if (!state_->one_left.exchange(true)) static_cast<void>(state_.release());
  }
}

void AuditLog::submit(unsigned lane, std::string body, Done done) {
  state_->writer->submit(lane, std::move(body), std::move(done));
}

void AuditLog::submit_end(unsigned lane, std::string body) {
  state_->writer->submit_end(lane, std::move(body));
}

AuditCounters AuditLog::counters() const {
  return state_->writer->counters();
}

}  // namespace egret
