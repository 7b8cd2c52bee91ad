// The keeper: one small process per state directory that holds copies of the sockets of every
// attached namespace. While a gate runs it offers them to it; when the gate goes, killed or not,
// nothing leaves, for nobody accepts; when another comes, it offers all of them again. When a
// namespace is gone it detaches it. It ends when it keeps nothing.
//
// The gate detaches what was attached over a connection when that ends: so a namespace is served
// as long as, and only while, both live.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "policy/unique_fd.h"
#include "sandbox-glue/keeper/gate_link.h"
#include "sandbox-glue/keeper/messages.h"

namespace egret {

class Keeper {
 public:
  // `listener`: the socket at keeper_path(); SOCK_SEQPACKET, listening, non-blocking.
  Keeper(std::string control_directory, UniqueFd listener);
  // Until nothing is kept and nobody asks.
  void run();

 private:
  struct Client {
    std::uint64_t id;
    UniqueFd socket;
  };
  struct Kept {
    std::uint64_t id;
    Offer offer;
    std::uint64_t client = 0;  // who waits for the gate's answer; 0: nobody any more
    bool attached = false;
    std::string refused;  // why the gate would not have it
  };
  // Something said to the gate, to be answered in this order.
  struct Said {
    std::uint64_t kept = 0;    // an attach
    std::uint64_t client = 0;  // a detach for somebody
  };

  // Clients
  void accept_client();
  bool serve(Client& client);
  void keep(Client& client, ChannelMessage message);
  void is_free(const Client& client, const Fields& words);
  void drop(Client& client, const Fields& words);
  void list(const Client& client);
  void client_is_gone(std::uint64_t client);
  void answer(std::uint64_t client, const std::string& message);

  // The gate
  void find_gate();
  void offer(Kept& kept);
  void offer_all();
  void hear();
  void gate_is_gone();

  // Namespaces
  void forget(std::list<Kept>::iterator kept, std::uint64_t client);
  void forget_the_unmounted();
  std::list<Kept>::iterator find(const std::string& label, const std::string& identity);
  std::string objection_to(const Offer& offer);

  bool may_end();

  std::string directory_;
  UniqueFd listener_;
  UniqueFd mounts_;  // POLLPRI when a mount comes or goes
  GateLink gate_;
  std::list<Client> clients_;
  std::list<Kept> kept_;
  std::deque<Said> said_;
  std::uint64_t last_id_ = 0;
  bool had_gate_ = false;
};

}  // namespace egret
