#include "proxy/server/control.h"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <nlohmann/json.hpp>

namespace egret {
namespace {

constexpr int patience_ms = 2000;
constexpr std::size_t peers_max = 64;

bool make_address(const std::string& path, sockaddr_un& address) {
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

bool readable(int fd, int limit_ms) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, limit_ms) > 0;
}

std::string read_line(int fd, int limit_ms) {
  std::string line;
  char piece[512];
  while (line.find('\n') == std::string::npos && line.size() < 1024 * 1024 &&
         readable(fd, limit_ms)) {
    const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
    if (got <= 0) break;
    line.append(piece, static_cast<std::size_t>(got));
  }
  return line.substr(0, line.find('\n'));
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

bool peer_may(int fd) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace

std::string control_directory(const std::string& state) {
  return state + "/control";
}

Result<std::unique_ptr<ControlSocket>, Failure> ControlSocket::open(Gate& gate,
                                                                    const std::string& state) {
  const std::string directory = control_directory(state);
  std::error_code error;
  std::filesystem::create_directories(state, error);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failure{"egret: cannot make " + directory + ": " + std::strerror(errno), 2};
  }
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return Failure{"egret: " + directory + " has to be a directory of yours with mode 0700", 2};
  }
  const std::string path = directory + "/" + std::to_string(::getpid()) + ".sock";
  sockaddr_un address{};
  if (!make_address(path, address)) {
    return Failure{
        "egret: the path " + path + " is too long for a Unix socket; set a shorter `state:`", 2};
  }
  // Under another name until it listens: whoever looks for gates never meets one that is not there.
  const std::string fresh = directory + "/" + std::to_string(::getpid()) + ".new";
  make_address(fresh, address);
  ::unlink(fresh.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = ::umask(0177);
  const bool bound =
      fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const int cause = errno;
  ::umask(before);
  int stop[2] = {-1, -1};
  if (!bound || ::listen(fd.get(), 8) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0 ||
      ::pipe2(stop, O_CLOEXEC) != 0) {
    return Failure{"egret: cannot listen on " + path + ": " + std::strerror(bound ? errno : cause),
                   2};
  }
  return std::unique_ptr<ControlSocket>(
      new ControlSocket(gate, std::move(fd), UniqueFd(stop[0]), UniqueFd(stop[1]), path));
}

ControlSocket::ControlSocket(Gate& gate, UniqueFd socket, UniqueFd stop_read, UniqueFd stop_write,
                             std::string path)
    : gate_(gate),
      socket_(std::move(socket)),
      stop_read_(std::move(stop_read)),
      stop_write_(std::move(stop_write)),
      path_(std::move(path)) {}

void ControlSocket::start() {
  thread_ = std::thread([this] { serve(); });
}

// Peers are not ended: the gate stops, and nobody has detached anything.
ControlSocket::~ControlSocket() {
  ::unlink(path_.c_str());
  stop_write_.reset();
  if (thread_.joinable()) thread_.join();
}

void ControlSocket::accept_peer() {
  UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (peer && peer_may(peer.get()) && peers_.size() < peers_max)
    peers_.push_back(std::make_unique<ControlPeer>(gate_, std::move(peer)));
}

void ControlSocket::serve() {
  while (true) {
    std::vector<pollfd> all = {{socket_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
    for (const auto& peer : peers_)
      all.push_back({peer->fd(), POLLIN, 0});
    if (::poll(all.data(), all.size(), -1) < 0 && errno != EINTR) return;
    if (all[1].revents != 0) return;
    for (std::size_t i = all.size(); i-- > 2;) {
      const auto peer = peers_.begin() + static_cast<std::ptrdiff_t>(i - 2);
      if (all[i].revents == 0 || (*peer)->serve()) continue;
      (*peer)->end();
      peers_.erase(peer);
    }
    if (all[0].revents != 0) accept_peer();
  }
}

std::vector<GateAnswer> ask_gates(const std::string& state, const std::string& line) {
  std::vector<GateAnswer> answers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(control_directory(state), error)) {
    const std::string path = entry.path();
    if (entry.path().extension() != ".sock") continue;
    sockaddr_un address{};
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (make_address(path, address) &&
        ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      write_all(fd, line + "\n");
      const std::string json = read_line(fd, 30 * patience_ms / 2);
      if (!json.empty()) answers.push_back({std::atoi(entry.path().stem().c_str()), json});
    } else if (errno == ECONNREFUSED) {
      ::unlink(path.c_str());  // of a gate that was killed
    }
    ::close(fd);
  }
  return answers;
}

}  // namespace egret
