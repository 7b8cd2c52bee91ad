#include "sandbox-glue/keeper/keeper_client.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "sandbox-glue/keeper/gate_link.h"

namespace egret {
namespace {

constexpr int answer_ms_max = 30'000;
constexpr const char* silent_remedy = "egret status: whether the gate answers";

// Whose the directory is; a fault where others could prepare what we find in it.
Result<struct stat, SetupFault> owner_of(const std::string& directory) {
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) {
    if (errno == ENOENT)
      return SetupFault{"no gate is running on this state directory", "start it: egret serve"};
    return system_fault("cannot look at " + directory, errno);
  }
  const bool ours = status.st_uid == ::geteuid() || ::geteuid() == 0;
  if (!S_ISDIR(status.st_mode) || !ours || (status.st_mode & 077) != 0)
    return SetupFault{directory + " has to be a directory of yours with mode 0700", {}};
  return status;
}

// What root makes there is the gate's user's.
void give_to(const struct stat& owner, const std::string& path) {
  if (::geteuid() == 0) (void)!::lchown(path.c_str(), owner.st_uid, owner.st_gid);
}

Result<UniqueFd, SetupFault> listen_at(const std::string& path, const struct stat& owner) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return SetupFault{"the path " + path + " is too long for a Unix socket",
                      "set a shorter state: in egret.yaml"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = ::umask(0177);
  const bool bound =
      socket && ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  const int error = errno;
  ::umask(before);
  if (!bound || ::listen(socket.get(), 64) != 0)
    return system_fault("cannot listen on " + path, bound ? errno : error);
  give_to(owner, path);
  return socket;
}

// In the grandchild: nothing of ours but the socket goes with it.
[[noreturn]] void become_keeper(const UniqueFd& listener, const struct stat& owner,
                                const std::vector<std::string>& argv) {
  const UniqueFd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(listener.get(), STDIN_FILENO);
  ::dup2(nowhere.get(), STDOUT_FILENO);
  ::dup2(nowhere.get(), STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::chdir("/") != 0) ::_exit(1);
  // It needs no power over anything: sockets are its own wherever it runs.
  if (::geteuid() == 0 && owner.st_uid != 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(owner.st_gid, owner.st_gid, owner.st_gid) != 0 ||
       ::setresuid(owner.st_uid, owner.st_uid, owner.st_uid) != 0)) {
    ::_exit(1);
  }
  std::vector<char*> words;
  for (const std::string& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::array<char*, 1> no_environment{nullptr};
  ::execve("/proc/self/exe", words.data(), no_environment.data());
  ::_exit(1);
}

Result<void, SetupFault> start_keeper(const UniqueFd& listener, const struct stat& owner,
                                      const std::vector<std::string>& argv) {
  const pid_t child = ::fork();
  if (child < 0) return system_fault("cannot fork", errno);
  if (child == 0) {
    ::setsid();
    if (::fork() == 0) become_keeper(listener, owner, argv);
    ::_exit(0);
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

}  // namespace

std::string keeper_path(const std::string& control_directory) {
  return control_directory + "/keeper";
}

UniqueFd open_keeper_lock(const std::string& control_directory) {
  const std::string path = control_directory + "/keeper.lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat owner {};
  if (lock && ::geteuid() == 0 && ::stat(control_directory.c_str(), &owner) == 0)
    (void)!::fchown(lock.get(), owner.st_uid, owner.st_gid);
  return lock;
}

Result<std::optional<KeeperClient>, SetupFault> KeeperClient::find(
    const std::string& control_directory) {
  std::optional<KeeperClient> none;
  if (::access(control_directory.c_str(), F_OK) != 0) return none;
  if (auto owner = owner_of(control_directory); !owner) return owner.error();
  UniqueFd socket = connect_unix(keeper_path(control_directory), SOCK_SEQPACKET);
  if (socket) return std::optional<KeeperClient>(KeeperClient(std::move(socket)));
  if (errno == ENOENT || errno == ECONNREFUSED) return none;
  return system_fault("cannot reach the keeper at " + keeper_path(control_directory), errno);
}

Result<KeeperClient, SetupFault> KeeperClient::find_or_start(const std::string& control_directory,
                                                             const std::vector<std::string>& argv) {
  auto owner = owner_of(control_directory);
  if (!owner) return owner.error();
  const UniqueFd lock = open_keeper_lock(control_directory);
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0)
    return system_fault("cannot lock " + control_directory, errno);
  auto found = find(control_directory);
  if (!found) return found.error();
  if (*found) return std::move(**found);
  auto listener = listen_at(keeper_path(control_directory), *owner);
  if (!listener) return listener.error();
  if (auto started = start_keeper(*listener, *owner, argv); !started) return started.error();
  UniqueFd socket = connect_unix(keeper_path(control_directory), SOCK_SEQPACKET);
  if (!socket) return system_fault("cannot reach the keeper", errno);
  return KeeperClient(std::move(socket));
}

Result<Fields, SetupFault> KeeperClient::hear() {
  pollfd one{socket_.get(), POLLIN, 0};
  int ready = -1;
  while ((ready = ::poll(&one, 1, answer_ms_max)) < 0 && errno == EINTR) {
  }
  if (ready != 1) return SetupFault{"the keeper has not answered", silent_remedy};
  auto received = receive_message(socket_);
  if (!received) return received.error();
  if (!*received) return SetupFault{"the keeper has ended", "try again"};
  Fields words = fields_of((*received)->bytes);
  if (words[0] == "error") {
    words.resize(3);
    return SetupFault{words[1], words[2]};
  }
  return {boost::system::in_place_value, std::move(words)};
}

Result<void, SetupFault> KeeperClient::hear_ok() {
  const auto answer = hear();
  if (!answer) return answer.error();
  return {};
}

Result<void, SetupFault> KeeperClient::ask(const Fields& words) {
  if (auto sent = send_message(socket_, joined(words), {}); !sent) return sent.error();
  return hear_ok();
}

Result<void, SetupFault> KeeperClient::is_free(const std::string& label,
                                               const std::string& identity) {
  return ask({"free", label, identity});
}

Result<void, SetupFault> KeeperClient::keep(const Offer& offer) {
  if (auto sent = send_offer(socket_, offer); !sent) return sent.error();
  return hear_ok();
}

Result<void, SetupFault> KeeperClient::drop(const std::string& label, const std::string& identity) {
  return ask({"drop", label, identity});
}

Result<std::vector<KeptEntry>, SetupFault> KeeperClient::list() {
  if (auto sent = send_message(socket_, "list", {}); !sent) return sent.error();
  std::vector<KeptEntry> out;
  while (true) {
    auto answer = hear();
    if (!answer) return answer.error();
    if ((*answer)[0] != "kept" || answer->size() != 5) break;
    out.push_back({(*answer)[1], (*answer)[2], (*answer)[3], (*answer)[4]});
  }
  return {boost::system::in_place_value, std::move(out)};
}

}  // namespace egret
