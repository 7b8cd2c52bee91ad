// How a process has namespaces kept: `egret attach`, and whatever else brings one of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/result.h"
#include "policy/unique_fd.h"
#include "sandbox-glue/keeper/messages.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// Below the gate's control directory (0700): the keeper's socket, 0600, and the lock that orders
// its start and its end.
std::string keeper_path(const std::string& control_directory);
UniqueFd open_keeper_lock(const std::string& control_directory);

class KeeperClient {
 public:
  // The keeper that runs; nothing where none does.
  static Result<std::optional<KeeperClient>, SetupFault> find(const std::string& control_directory);
  // The keeper that runs, or a new one: this program again, as `argv`, with the listening socket as
  // its standard input, as the user who owns the directory. REQUIRES: a single-threaded process.
  static Result<KeeperClient, SetupFault> find_or_start(const std::string& control_directory,
                                                        const std::vector<std::string>& argv);

  // A fault where the namespace is kept already.
  Result<void, SetupFault> is_free(const std::string& label, const std::string& identity);
  // From now on the namespace is behind the gate and stays there over the gate's restarts.
  Result<void, SetupFault> keep(const Offer& offer);
  // Takes it back: its sockets are closed everywhere, and its rules let nothing leave.
  Result<void, SetupFault> drop(const std::string& label, const std::string& identity);
  Result<std::vector<KeptEntry>, SetupFault> list();

 private:
  explicit KeeperClient(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<void, SetupFault> ask(const Fields& words);
  Result<void, SetupFault> hear_ok();
  Result<Fields, SetupFault> hear();
  UniqueFd socket_;
};

}  // namespace egret
