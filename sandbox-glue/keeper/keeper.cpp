#include "sandbox-glue/keeper/keeper.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "sandbox-glue/keeper/keeper_client.h"
#include "sandbox-glue/namespace/target.h"

namespace egret {
namespace {

constexpr int silent_gate_retry_ms = 5000;
constexpr int idle_retry_ms = 1000;
constexpr timeval send_time_max{2, 0};
constexpr std::size_t clients_max = 64;
constexpr std::size_t descriptors_each = 7;
constexpr std::size_t descriptors_besides = 128;

std::string error_message(const std::string& what, const std::string& remedy = {}) {
  return joined({"error", what, remedy});
}

std::string attached_already(const Offer& offer) {
  return error_message("this namespace is attached already, as " + offer.label +
                           " of the sandbox \"" + offer.sandbox + "\"",
                       "egret attach --detach takes it back");
}

bool peer_may(int socket) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

std::size_t room() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur < descriptors_besides
             ? 0
             : static_cast<std::size_t>(limit.rlim_cur - descriptors_besides) / descriptors_each;
}

}  // namespace

Keeper::Keeper(std::string control_directory, UniqueFd listener)
    : directory_(control_directory),
      listener_(std::move(listener)),
      mounts_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)),
      gate_(std::move(control_directory)) {}

void Keeper::run() {
  while (true) {
    find_gate();
    const bool idle = kept_.empty() && clients_.empty();
    if (idle && may_end()) return;
    std::vector<pollfd> all = {{listener_.get(), POLLIN, 0},
                               {gate_.connected() ? -1 : gate_.changes(), POLLIN, 0},
                               {mounts_.get(), POLLPRI, 0},
                               {gate_.fd(), POLLIN, 0}};
    const std::size_t first_client = all.size();
    for (const Client& client : clients_)
      all.push_back({client.socket.get(), POLLIN, 0});
    const std::size_t first_kept = all.size();
    for (const Kept& kept : kept_)
      all.push_back({kept.offer.alive.get(), POLLIN, 0});
    const bool again = !gate_.connected() && gate_.somebody_is_silent();
    const int limit_ms = idle ? idle_retry_ms : again ? silent_gate_retry_ms : -1;
    if (::poll(all.data(), all.size(), limit_ms) < 0) continue;

    auto kept = kept_.begin();
    for (std::size_t i = first_kept; i < all.size(); ++i) {
      const auto one = kept++;
      if (all[i].revents != 0) forget(one, 0);
    }
    auto client = clients_.begin();
    for (std::size_t i = first_client; i < first_kept; ++i) {
      const auto one = client++;
      if (all[i].revents == 0 || serve(*one)) continue;
      client_is_gone(one->id);
      clients_.erase(one);
    }
    if ((all[2].revents & POLLPRI) != 0) forget_the_unmounted();
    if (all[3].revents != 0 && gate_.connected()) hear();
    if (all[0].revents != 0) accept_client();
  }
}

// What was found broken on the way is put in order here, where nothing else is going on.
void Keeper::find_gate() {
  if (std::exchange(had_gate_, false) && !gate_.connected()) gate_is_gone();
  if (!gate_.connected() && gate_.look()) offer_all();
  had_gate_ = gate_.connected();
}

// Nobody may be on the way to us: whoever connects, or starts a keeper, holds the lock.
bool Keeper::may_end() {
  const UniqueFd lock = open_keeper_lock(directory_);
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  pollfd somebody{listener_.get(), POLLIN, 0};
  if (::poll(&somebody, 1, 0) != 0) return false;
  ::unlink(keeper_path(directory_).c_str());
  return true;
}

// --- clients

void Keeper::accept_client() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket || !peer_may(socket.get()) || clients_.size() >= clients_max) return;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &send_time_max, sizeof(send_time_max));
  clients_.push_back({++last_id_, std::move(socket)});
}

bool Keeper::serve(Client& client) {
  auto received = receive_message(client.socket);
  if (!received || !*received) return false;
  const Fields words = fields_of((*received)->bytes);
  if (words[0] == "keep") {
    keep(client, std::move(**received));
  } else if (words[0] == "drop" && words.size() == 3) {
    drop(client, words);
  } else if (words[0] == "free" && words.size() == 3) {
    is_free(client, words);
  } else if (words[0] == "list") {
    list(client);
  } else {
    answer(client.id, error_message("the keeper does not know this request"));
  }
  return true;
}

std::list<Keeper::Kept>::iterator Keeper::find(const std::string& label,
                                               const std::string& identity) {
  return std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return kept.offer.label == label || (!identity.empty() && kept.offer.identity == identity);
  });
}

void Keeper::is_free(const Client& client, const Fields& words) {
  const auto found = find(words[1], words[2]);
  answer(client.id, found == kept_.end() ? "ok" : attached_already(found->offer));
}

std::string Keeper::objection_to(const Offer& offer) {
  if (const auto found = find(offer.label, offer.identity); found != kept_.end())
    return attached_already(found->offer);
  if (!gate_.connected())
    return error_message("no gate is running on this state directory", "start it: egret serve");
  if (!offer.path.empty() && (!mounts_ || identity_at(offer.path) != offer.identity))
    return error_message("the keeper, which runs as the gate's user, cannot watch " + offer.path,
                         "make it reachable for that user, or name a process with --pid");
  if (kept_.size() >= room())
    return error_message("too many namespaces for the keeper's limit of descriptors (" +
                             std::to_string(kept_.size()) + " are kept)",
                         "raise the hard limit where `egret attach` runs: ulimit -Hn");
  return {};
}

void Keeper::keep(Client& client, ChannelMessage message) {
  auto offered = offer_in(std::move(message));
  if (!offered) {
    answer(client.id, error_message("a garbled offer"));
    return;
  }
  find_gate();
  if (const std::string objection = objection_to(*offered); !objection.empty()) {
    answer(client.id, objection);
    return;
  }
  kept_.push_back({++last_id_, std::move(*offered), client.id, false, {}});
  offer(kept_.back());
}

void Keeper::drop(Client& client, const Fields& words) {
  const auto found = find(words[1], words[2]);
  if (found == kept_.end()) {
    answer(client.id, error_message(words[1] + " is not attached"));
    return;
  }
  forget(found, client.id);
}

void Keeper::list(const Client& client) {
  for (const Kept& kept : kept_) {
    const std::string state = kept.attached          ? "attached"
                              : kept.refused.empty() ? "waiting for a gate"
                                                     : "refused: " + kept.refused;
    answer(client.id,
           joined({"kept", kept.offer.sandbox, kept.offer.label, kept.offer.identity, state}));
  }
  answer(client.id, "ok");
}

// What it wanted to have kept is taken back inside the namespace as well, by its own child.
void Keeper::client_is_gone(std::uint64_t client) {
  const auto waited = std::find_if(kept_.begin(), kept_.end(),
                                   [client](const Kept& kept) { return kept.client == client; });
  if (waited != kept_.end()) forget(waited, 0);
}

void Keeper::answer(std::uint64_t id, const std::string& message) {
  for (const Client& client : clients_) {
    if (client.id == id) (void)send_message(client.socket, message, {});
  }
}

// --- the gate

void Keeper::offer(Kept& kept) {
  const Offer& offer = kept.offer;
  const std::string line = "attach " + offer.sandbox + " " +
                           std::to_string(offer.sockets.tcp_port) + " " +
                           std::to_string(offer.sockets.dns_port) + " " + offer.label;
  (void)gate_.say(line, descriptors_of(offer.sockets));  // where it fails, find_gate() follows
  said_.push_back({kept.id, 0});
}

void Keeper::offer_all() {
  for (Kept& kept : kept_) {
    if (!gate_.connected()) return;
    if (!kept.attached) offer(kept);
  }
}

void Keeper::hear() {
  for (const std::string& line : gate_.hear()) {
    if (said_.empty()) return;
    const Said said = said_.front();
    said_.pop_front();
    if (said.client != 0) answer(said.client, "ok");
    const auto kept = std::find_if(kept_.begin(), kept_.end(),
                                   [&said](const Kept& one) { return one.id == said.kept; });
    if (kept == kept_.end()) continue;
    kept->attached = line == "ok";
    kept->refused = kept->attached ? "" : line.substr(line.find(' ') + 1);
    if (kept->client == 0) continue;
    answer(std::exchange(kept->client, 0),
           kept->attached ? std::string("ok") : error_message(kept->refused));
    if (!kept->attached) kept_.erase(kept);
  }
}

void Keeper::gate_is_gone() {
  for (const Said& said : std::exchange(said_, {}))
    if (said.client != 0) answer(said.client, "ok");
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    const auto one = kept++;
    one->attached = false;
    one->refused.clear();
    if (one->client == 0) continue;
    answer(one->client, error_message("the gate has ended meanwhile", "start it: egret serve"));
    kept_.erase(one);
  }
}

// --- namespaces

void Keeper::forget(std::list<Kept>::iterator kept, std::uint64_t client) {
  const std::string line = "detach " + kept->offer.label;
  if (kept->client != 0)
    answer(kept->client, error_message(kept->offer.label + " is gone, or was detached"));
  const bool known =
      kept->attached || std::any_of(said_.begin(), said_.end(),
                                    [&](const Said& one) { return one.kept == kept->id; });
  kept_.erase(kept);
  if (!known || !gate_.connected()) {
    answer(client, "ok");
    return;
  }
  (void)gate_.say(line, {});
  said_.push_back({0, client});
}

void Keeper::forget_the_unmounted() {
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    const auto one = kept++;
    if (!one->offer.path.empty() && identity_at(one->offer.path) != one->offer.identity)
      forget(one, 0);
  }
}

}  // namespace egret
