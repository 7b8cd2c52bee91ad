// Namespaces that are put behind a running gate, and taken away again.
#include <cerrno>
#include <sys/resource.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/post.hpp>

#include "proxy/server/gate.h"
#include "proxy/session/dns_service.h"
#include "proxy/session/listener.h"

namespace egret {
namespace {

constexpr std::size_t label_bytes_max = 512;
constexpr std::size_t descriptors_each = 6;

Failure refused(std::string why) {
  return {std::move(why), 2};
}

// The kernel's name of the network namespace in which a socket was made: never used twice, and
// nobody inside can choose it. 0 where it cannot be had.
std::uint64_t namespace_of(int socket) {
  std::uint64_t cookie = 0;
  socklen_t bytes = sizeof cookie;
  return ::getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &bytes) == 0 ? cookie : 0;
}

std::uint64_t own_namespace() {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return any ? namespace_of(any.get()) : 0;
}

int option_of(int socket, int option) {
  int value = -1;
  socklen_t bytes = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

// Whether these are the six sockets, or the three of IPv4, all of one namespace.
bool are_namespace_sockets(const NamespaceSockets& sockets, std::uint64_t cookie) {
  const auto is = [cookie](const UniqueFd& socket, int family, int type) {
    return option_of(socket.get(), SO_DOMAIN) == family &&
           option_of(socket.get(), SO_TYPE) == type &&
           (type != SOCK_STREAM || option_of(socket.get(), SO_ACCEPTCONN) == 1) &&
           namespace_of(socket.get()) == cookie;
  };
  const bool v4 = is(sockets.tcp4, AF_INET, SOCK_STREAM) &&
                  is(sockets.dns_udp4, AF_INET, SOCK_DGRAM) &&
                  is(sockets.dns_tcp4, AF_INET, SOCK_STREAM);
  if (!v4 || !sockets.tcp6) return v4;
  return is(sockets.tcp6, AF_INET6, SOCK_STREAM) && is(sockets.dns_udp6, AF_INET6, SOCK_DGRAM) &&
         is(sockets.dns_tcp6, AF_INET6, SOCK_STREAM);
}

bool is_label(const std::string& label) {
  if (label.empty() || label.size() > label_bytes_max) return false;
  for (const char c : label) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

// Half of the descriptors stay for connections.
bool room_for(std::size_t attachments) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return true;
  return attachments * descriptors_each <= limit.rlim_cur / 2;
}

SharedFd shared(UniqueFd& socket) {
  return std::make_shared<const UniqueFd>(std::move(socket));
}

}  // namespace

// Every worker accepts on the same socket.
void Gate::listen_everywhere(UniqueFd socket, const std::shared_ptr<const ListenerFacts>& facts,
                             const std::vector<AttachmentPartPtr>& parts) {
  if (!socket) return;
  const SharedFd fd = shared(socket);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    const AttachmentPartPtr part = i < parts.size() ? parts[i] : nullptr;
    asio::post(worker.context(),
               [&worker, fd, facts, part] { listen_on(worker, fd, facts, part); });
  }
}

std::vector<AttachmentPartPtr> Gate::serve_sockets(const std::shared_ptr<Sandbox>& sandbox,
                                                   NamespaceSockets sockets) {
  std::vector<AttachmentPartPtr> parts;
  for (std::size_t i = 0; i < workers_.size(); ++i)
    parts.push_back(std::make_shared<AttachmentPart>());
  auto facts = std::make_shared<ListenerFacts>();
  facts->capture = Capture::netns;
  facts->sandbox = sandbox;
  facts->own_port = sockets.tcp_port;
  listen_everywhere(std::move(sockets.tcp4), facts, parts);
  listen_everywhere(std::move(sockets.tcp6), facts, parts);
  const std::size_t turn = dns_turn_++ % workers_.size();
  Worker& worker = *workers_[turn];
  const AttachmentPartPtr part = parts[turn];
  for (UniqueFd* socket : {&sockets.dns_udp4, &sockets.dns_udp6}) {
    if (!*socket) continue;
    asio::post(worker.context(), [&worker, sandbox, part, fd = shared(*socket)] {
      spawn_on(worker, serve_dns_udp(worker, sandbox, fd, part));
    });
  }
  for (UniqueFd* socket : {&sockets.dns_tcp4, &sockets.dns_tcp6}) {
    if (!*socket) continue;
    asio::post(worker.context(), [&worker, sandbox, part, fd = shared(*socket)] {
      spawn_on(worker, serve_dns_tcp(worker, sandbox, fd, part));
    });
  }
  return parts;
}

void Gate::attach(const std::string& name, NamespaceSockets sockets) {
  serve_sockets(sandboxes_.at(name), std::move(sockets));
  record("attach", name, "netns");
}

Result<void, Failure> Gate::attachable(const std::string& name) const {
  if (mode_ != "serve") return refused("this gate serves one command of its own");
  if (!sandboxes_.contains(name))
    return refused("the running gate has no sandbox \"" + name +
                   "\"; a new sandbox needs a restart of `egret serve`");
  return {};
}

Result<void, Failure> Gate::attach(const std::string& name, const std::string& label,
                                   NamespaceSockets sockets) {
  if (auto may = attachable(name); !may) return may;
  if (!is_label(label)) return refused("the namespace's name has characters that are not ASCII");
  const std::uint64_t cookie = namespace_of(sockets.tcp4.get());
  if (cookie == 0) return refused("a kernel that names network namespaces is needed (Linux 5.14)");
  if (!are_namespace_sockets(sockets, cookie))
    return refused("these are no sockets of a namespace");
  if (cookie == own_namespace()) return refused("this is the gate's own network namespace");
  const std::lock_guard lock(attached_mutex_);
  for (const auto& [other, attached] : attached_) {
    if (attached.cookie == cookie || other == label)
      return refused("this namespace is attached already, as " + other + " of the sandbox \"" +
                     attached.sandbox + "\"");
  }
  if (!room_for(attached_.size() + 1)) {
    return refused("too many namespaces for the gate's limit of descriptors (" +
                   std::to_string(attached_.size()) +
                   " are attached); raise it: ulimit -n, or LimitNOFILE= of its unit");
  }
  if (!recorded("attach", name, label)) return refused("the audit file cannot be written");
  auto parts = serve_sockets(sandboxes_.at(name), std::move(sockets));
  attached_.emplace(label, Attached{name, cookie, std::move(parts)});
  return {};
}

bool Gate::detach(const std::string& label) {
  const std::lock_guard lock(attached_mutex_);
  const auto found = attached_.find(label);
  if (found == attached_.end()) return false;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    asio::post(worker.context(), [&worker, part = found->second.parts[i]] {
      part->end();
      worker.reconsider();
    });
  }
  record("detach", found->second.sandbox, label);
  attached_.erase(found);
  return true;
}

}  // namespace egret
