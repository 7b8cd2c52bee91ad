#include "proxy/server/sd_notify.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <utility>

#include "policy/unique_fd.h"

namespace egret {
namespace {

constexpr const char* variable = "NOTIFY_SOCKET";
constexpr std::size_t status_bytes_max = 512;

bool is_usable(std::string_view socket) {
  return socket.size() > 1 && socket.size() < sizeof(sockaddr_un::sun_path) &&
         (socket[0] == '/' || socket[0] == '@');
}

// The manager compares it with its own CLOCK_MONOTONIC; steady_clock need not be that one.
std::chrono::microseconds monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

std::string ready_message(std::string_view status) {
  std::string message = "READY=1\nSTATUS=";
  for (const char c : status.substr(0, status_bytes_max))
    message += c == '\n' || c == '\r' || c == '\0' ? ' ' : c;
  return message;
}

std::string reloading_message(std::chrono::microseconds monotonic) {
  return "RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic.count());
}

ServiceManager ServiceManager::from_environment() {
  const char* socket = std::getenv(variable);
  if (socket == nullptr) return {};
  ServiceManager manager{std::string(socket)};
  ::unsetenv(variable);
  return manager;
}

ServiceManager::ServiceManager(std::string socket)
    : socket_(is_usable(socket) ? std::move(socket) : std::string()) {}

bool ServiceManager::ready(std::string_view status) const {
  return send(ready_message(status));
}

bool ServiceManager::reloading() const {
  return send(reloading_message(monotonic_now()));
}

bool ServiceManager::stopping() const {
  return send("STOPPING=1");
}

bool ServiceManager::send(const std::string& message) const {
  if (socket_.empty()) return true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const ssize_t sent = ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), bytes);
  return sent == static_cast<ssize_t>(message.size());
}

}  // namespace egret
