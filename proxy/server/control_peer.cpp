#include "proxy/server/control_peer.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "sandbox-glue/namespace/channel.h"

namespace egret {
namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;
constexpr timeval patience{2, 0};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string told(const Result<void, Failure>& done) {
  return done ? "ok" : "error " + one_line(done.error().text);
}

}  // namespace

ControlPeer::ControlPeer(Gate& gate, UniqueFd socket) : gate_(gate), socket_(std::move(socket)) {
  ::setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

void ControlPeer::end() {
  for (const std::string& label : attached_)
    gate_.detach(label);
}

bool ControlPeer::serve() {
  auto received = receive_message(socket_);
  if (!received || !*received) return false;
  input_ += (*received)->bytes;
  for (UniqueFd& descriptor : (*received)->descriptors)
    descriptors_.push_back(std::move(descriptor));
  if (input_.size() > line_bytes_max || descriptors_.size() > channel_descriptors_max) return false;
  for (std::size_t end = 0; (end = input_.find('\n')) != std::string::npos;) {
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!write_all(fd(), answer(line) + "\n")) return false;
    descriptors_.clear();
  }
  return true;
}

std::string ControlPeer::answer(const std::string& line) {
  const auto argument = [&line](std::string_view verb) {
    return line.starts_with(verb) ? std::optional(line.substr(verb.size())) : std::nullopt;
  };
  if (line == "status") return gate_.status_json();
  if (const auto sandbox = argument("attachable ")) return told(gate_.attachable(*sandbox));
  if (const auto words = argument("attach ")) return attach(*words);
  if (const auto label = argument("detach ")) return detach(*label);
  if (line == "mode") return "ok " + gate_.mode();
  nlohmann::json out;
  if (line == "reload") {
    const auto reloaded = gate_.reload();
    out["ok"] = reloaded.has_value();
    if (!reloaded) out["error"] = reloaded.error().text;
  } else {
    out["ok"] = false;
    out["error"] = "unknown request; write status or reload";
  }
  return out.dump();
}

// attach SANDBOX TCP_PORT DNS_PORT LABEL, with the sockets of descriptors_of().
std::string ControlPeer::attach(const std::string& text) {
  std::istringstream words(text);
  std::string sandbox, label;
  std::uint16_t tcp_port = 0, dns_port = 0;
  words >> sandbox >> tcp_port >> dns_port >> std::ws;
  std::getline(words, label);
  auto sockets = sockets_from(std::exchange(descriptors_, {}), tcp_port, dns_port);
  if (!words || !sockets) return "error a garbled request to attach";
  const auto attached = gate_.attach(sandbox, label, std::move(*sockets));
  if (attached) attached_.insert(label);
  return told(attached);
}

std::string ControlPeer::detach(const std::string& label) {
  if (attached_.erase(label) == 0) return "error this namespace was not attached from here";
  gate_.detach(label);
  return "ok";
}

}  // namespace egret
