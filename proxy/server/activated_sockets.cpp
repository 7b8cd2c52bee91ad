#include "proxy/server/activated_sockets.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace egret {
namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START
constexpr unsigned sockets_max = 1024;

std::string taken_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string out = value != nullptr ? value : "";
  ::unsetenv(name);
  return out;
}

std::optional<unsigned> number(const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int option(int fd, int name) {
  int value = 0;
  socklen_t bytes = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &bytes) == 0 ? value : -1;
}

std::optional<std::string> unix_path(int fd) {
  sockaddr_un address{};
  socklen_t bytes = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return std::nullopt;
  const std::size_t path_bytes = bytes - offsetof(sockaddr_un, sun_path);
  if (address.sun_family != AF_UNIX || path_bytes < 2 || address.sun_path[0] != '/')
    return std::nullopt;
  return std::string(address.sun_path, ::strnlen(address.sun_path, path_bytes));
}

std::optional<ListenPlace> place_of(int fd) {
  if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 1) return std::nullopt;
  const int family = option(fd, SO_DOMAIN);
  if (family == AF_UNIX) {
    if (auto path = unix_path(fd)) return ListenPlace(std::move(*path));
  } else if (family == AF_INET || family == AF_INET6) {
    if (const auto address = local_address(fd)) return ListenPlace(*address);
  }
  return std::nullopt;
}

}  // namespace

std::string text_of(const ListenPlace& place) {
  if (const auto* path = std::get_if<std::string>(&place)) return *path;
  const auto& tcp = std::get<SocketAddress>(place);
  const std::string address = tcp.address.text();
  return (tcp.address.is_v4() ? address : "[" + address + "]") + ":" + std::to_string(tcp.port);
}

Result<ActivatedSockets, Failure> ActivatedSockets::from_environment() {
  const std::string pid = taken_variable("LISTEN_PID");
  const std::string count_text = taken_variable("LISTEN_FDS");
  taken_variable("LISTEN_FDNAMES");
  if (pid.empty() || count_text.empty()) return ActivatedSockets();
  if (number(pid) != static_cast<unsigned>(::getpid())) return ActivatedSockets();
  const auto count = number(count_text);
  if (!count || *count > sockets_max) {
    return Failure{"egret: LISTEN_FDS=" + count_text + " is no number of sockets up to " +
                       std::to_string(sockets_max),
                   2};
  }
  return from_descriptors(first_descriptor, *count);
}

Result<ActivatedSockets, Failure> ActivatedSockets::from_descriptors(int first, unsigned count) {
  ActivatedSockets out;
  for (int fd = first; fd < first + static_cast<int>(count); ++fd) {
    UniqueFd owned(fd);
    auto place = place_of(fd);
    if (!place) {
      const std::string which = std::to_string(fd);
      (void)owned.release();  // not known to be ours
      return Failure{"egret: descriptor " + which +
                         " from the service manager is no listening TCP or Unix stream socket; a "
                         "socket unit needs ListenStream= and no Accept=yes",
                     2};
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    out.sockets_.push_back({std::move(owned), std::move(*place)});
  }
  return {boost::system::in_place_value, std::move(out)};
}

std::optional<UniqueFd> ActivatedSockets::take(const ListenPlace& place) {
  const auto found = std::find_if(sockets_.begin(), sockets_.end(),
                                  [&](const Socket& one) { return one.place == place; });
  if (found == sockets_.end()) return std::nullopt;
  UniqueFd fd = std::move(found->fd);
  sockets_.erase(found);
  return fd;
}

std::vector<ListenPlace> ActivatedSockets::left() const {
  std::vector<ListenPlace> out;
  for (const Socket& one : sockets_)
    out.push_back(one.place);
  return out;
}

}  // namespace egret
