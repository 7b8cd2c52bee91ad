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

std::string control_directory(const std::string& state) {
  return state + "/control";
}

}  // namespace

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
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const mode_t before = ::umask(0177);
  const bool bound =
      fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const int cause = errno;
  ::umask(before);
  int stop[2] = {-1, -1};
  if (!bound || ::listen(fd, 8) != 0 || ::pipe2(stop, O_CLOEXEC) != 0) {
    return Failure{"egret: cannot listen on " + path + ": " + std::strerror(cause), 2};
  }
  std::unique_ptr<ControlSocket> control(new ControlSocket(gate, fd, stop[0], stop[1], path));
  control->thread_ = std::thread([raw = control.get()] { raw->serve(); });
  return control;
}

ControlSocket::ControlSocket(Gate& gate, int fd, int stop_read, int stop_write, std::string path)
    : gate_(gate),
      fd_(fd),
      stop_read_(stop_read),
      stop_write_(stop_write),
      path_(std::move(path)) {}

ControlSocket::~ControlSocket() {
  ::close(stop_write_);
  thread_.join();
  ::close(stop_read_);
  ::close(fd_);
  ::unlink(path_.c_str());
}

void ControlSocket::serve() {
  while (true) {
    pollfd both[2] = {{fd_, POLLIN, 0}, {stop_read_, POLLIN, 0}};
    if (::poll(both, 2, -1) < 0 && errno != EINTR) return;
    if (both[1].revents != 0) return;
    if (both[0].revents == 0) continue;
    const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) continue;
    if (peer_may(peer)) answer(peer);
    ::close(peer);
  }
}

void ControlSocket::answer(int fd) {
  const std::string line = read_line(fd, patience_ms);
  if (line == "status") {
    write_all(fd, gate_.status_json() + "\n");
    return;
  }
  nlohmann::json out;
  if (line == "reload") {
    const auto reloaded = gate_.reload();
    out["ok"] = reloaded.has_value();
    if (!reloaded) out["error"] = reloaded.error().text;
  } else {
    out["ok"] = false;
    out["error"] = "unknown request; write status or reload";
  }
  write_all(fd, out.dump() + "\n");
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
