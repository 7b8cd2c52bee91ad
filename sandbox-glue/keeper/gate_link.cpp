#include "sandbox-glue/keeper/gate_link.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

#include "sandbox-glue/namespace/channel.h"

namespace egret {
namespace {

constexpr int answer_ms_max = 2000;

bool readable(int fd, int limit_ms) {
  pollfd one{fd, POLLIN, 0};
  int ready = -1;
  while ((ready = ::poll(&one, 1, limit_ms)) < 0 && errno == EINTR) {
  }
  return ready > 0;
}

}  // namespace

UniqueFd connect_unix(const std::string& path, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
    return socket;
  const int error = errno;
  socket.reset();
  errno = error;
  return socket;
}

GateLink::GateLink(std::string control_directory)
    : directory_(std::move(control_directory)),
      changes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  ::inotify_add_watch(changes_.get(), directory_.c_str(), IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
}

bool GateLink::look() {
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(changes_.get(), events.data(), events.size()) > 0) {
  }
  silent_ = false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    if (gate_) break;
    if (entry.path().extension() == ".sock" && try_gate(entry.path())) break;
  }
  return connected();
}

bool GateLink::try_gate(const std::string& path) {
  UniqueFd socket = connect_unix(path, SOCK_STREAM);
  if (!socket || !send_message(socket, "mode\n", {})) return false;
  if (!readable(socket.get(), answer_ms_max)) {
    silent_ = true;
    return false;
  }
  const auto answer = receive_message(socket);
  if (!answer || !*answer || (*answer)->bytes != "ok serve\n") return false;
  gate_ = std::move(socket);
  heard_.clear();
  return true;
}

bool GateLink::say(std::string_view line, const std::vector<int>& descriptors) {
  if (!gate_) return false;
  const bool said = send_message(gate_, std::string(line) + "\n", descriptors).has_value();
  if (!said) gate_.reset();
  return said;
}

std::vector<std::string> GateLink::hear() {
  const auto received = receive_message(gate_);
  if (!received || !*received) {
    gate_.reset();
    return {};
  }
  heard_ += (*received)->bytes;
  std::vector<std::string> lines;
  for (std::size_t end = 0; (end = heard_.find('\n')) != std::string::npos;) {
    lines.push_back(heard_.substr(0, end));
    heard_.erase(0, end + 1);
  }
  return lines;
}

}  // namespace egret
