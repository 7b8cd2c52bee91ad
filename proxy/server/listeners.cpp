#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/post.hpp>

#include "proxy/server/gate.h"
#include "proxy/session/dns_service.h"
#include "proxy/session/listener.h"

namespace egret {
namespace {

constexpr int backlog = 511;

Failure cannot_listen(const std::string& where, const std::string& source, int error) {
  std::string advice;
  if (error == EADDRINUSE) advice = "; something else listens there: stop it or write another port";
  if (error == EACCES) advice = "; ports below 1024 need root: write a higher one";
  if (error == EADDRNOTAVAIL) advice = "; this machine has no such address";
  return {source + ": cannot listen on " + where + ": " + std::strerror(error) + advice, 2};
}

// Nothing for a redirect listener, which is several sockets that belong together.
std::optional<ListenPlace> place_of(const Listen& listen) {
  if (const auto* path = std::get_if<ListenUnix>(&listen.where)) return path->path;
  const auto* tcp = std::get_if<ListenTcp>(&listen.where);
  if (tcp == nullptr) return std::nullopt;
  const auto address = IpAddress::parse(tcp->address);
  if (!address) return std::nullopt;
  return SocketAddress{*address, tcp->port};
}

// A socket that a manager opened and nobody serves would take connections and never answer.
Result<void, Failure> refuse_unclaimed(const Config& config, const ActivatedSockets& activated) {
  if (activated.left().empty()) return {};
  std::string sockets;
  for (const ListenPlace& place : activated.left())
    sockets += (sockets.empty() ? "" : ", ") + text_of(place);
  std::string entries;
  for (const Listen& listen : config.listen) {
    if (const auto place = place_of(listen))
      entries += (entries.empty() ? "" : ", ") + text_of(*place);
  }
  return Failure{"egret: the service manager opened " + sockets + ", and no `listen:` entry of " +
                     config.file + " is there (it has " + entries +
                     "); write ListenStream= of the socket unit and `listen:` alike",
                 2};
}

// A proxy known by its name is checked when it is dialled.
Result<void, Failure> refuse_own_proxy(const Config& config,
                                       const std::vector<SocketAddress>& own_listeners) {
  const auto& via = config.origins.via;
  if (!via || !via->host.is_address()) return {};
  const SocketAddress proxy{*via->host.address(), via->port};
  if (!is_own_listener(proxy, own_listeners)) return {};
  return Failure{via->source + ": origins.via is this gate itself, which listens on " +
                     text_of(proxy) + "; name the next proxy, or listen on another port",
                 2};
}

// What a redirect leads to: the loopback of the connection's own family.
std::vector<std::string> redirect_addresses(const std::string& written) {
  if (written != "127.0.0.1" && written != "::1") return {written};
  std::vector<std::string> both{"127.0.0.1"};
  for (const IpAddress& own : interface_addresses()) {
    if (own.text() == "::1") both.emplace_back("::1");
  }
  return both;
}

// A bound socket of either kind, non-blocking; a stream socket listens.
Result<int, Failure> open_socket(int kind, const std::string& address, std::uint16_t port,
                                 const std::string& source) {
  const auto parsed = IpAddress::parse(address);
  const std::string where = address + ":" + std::to_string(port);
  if (!parsed) return Failure{source + ": \"" + address + "\" is no IP address", 2};
  const int fd =
      ::socket(parsed->is_v4() ? AF_INET : AF_INET6, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannot_listen(where, source, errno);
  const int on = 1;
  // Two UDP sockets with it would share the port, and one of them the datagrams.
  if (kind == SOCK_STREAM) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  if (parsed->is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, parsed->bytes().data(), 4);
    bytes = sizeof *v4;
  } else {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, parsed->bytes().data(), 16);
    bytes = sizeof *v6;
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), bytes) != 0 ||
      (kind == SOCK_STREAM && ::listen(fd, backlog) != 0)) {
    const int error = errno;
    ::close(fd);
    return cannot_listen(where, source, error);
  }
  return fd;
}

}  // namespace

Result<int, Failure> listen_tcp(const std::string& address, std::uint16_t port,
                                const std::string& source) {
  return open_socket(SOCK_STREAM, address, port, source);
}

Result<void, Failure> Gate::open_listeners(ActivatedSockets activated) {
  for (const Listen& listen : config_.listen) {
    auto facts = std::make_shared<ListenerFacts>();
    if (listen.sandbox) facts->sandbox = sandboxes_.at(*listen.sandbox);
    Result<void, Failure> opened;
    if (const auto* tcp = std::get_if<ListenTcp>(&listen.where)) {
      opened = open_tcp(*tcp, facts, listen, activated);
    } else if (const auto* redirect = std::get_if<ListenRedirect>(&listen.where)) {
      opened = open_redirect(*redirect, facts, listen);
    } else {
      opened = open_unix(std::get<ListenUnix>(listen.where), facts, listen, activated);
    }
    if (!opened) return opened;
    ++listeners_;
  }
  if (auto all = refuse_unclaimed(config_, activated); !all) return all;
  return refuse_own_proxy(config_, shared_.own_listeners);
}

namespace {

Result<int, Failure> listen_unix(const std::string& path, const std::string& source) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Failure{source + ": the path of a Unix socket has at most 107 characters", 2};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannot_listen(path, source, errno);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
    // A socket that nobody listens on is left over from a gate that was killed.
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      ::close(fd);
      return cannot_listen(path, source, EADDRINUSE);
    }
    ::unlink(path.c_str());
  }
  const mode_t before = ::umask(0117);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  ::umask(before);
  if (!bound || ::listen(fd, backlog) != 0) {
    ::close(fd);
    return cannot_listen(path, source, error);
  }
  return fd;
}

void announce(const std::string& where, const Listen& listen) {
  std::cerr << "egret: listening on " << where
            << (listen.sandbox ? " (sandbox " + *listen.sandbox + ")"
                               : " (credentials name the sandbox)")
            << std::endl;
}

}  // namespace

Result<void, Failure> Gate::open_tcp(const ListenTcp& where, std::shared_ptr<ListenerFacts> facts,
                                     const Listen& listen, ActivatedSockets& activated) {
  UniqueFd own;
  const auto place = place_of(listen);
  auto taken = place ? activated.take(*place) : std::nullopt;
  if (taken) {
    own = std::move(*taken);
  } else {
    auto opened = listen_tcp(where.address, where.port, listen.source);
    if (!opened) return opened.error();
    own.reset(*opened);
  }
  facts->capture = Capture::forward;
  const auto bound = local_address(own.get());
  bound_.emplace_back(listen.source, *bound);
  shared_.own_listeners.push_back(*bound);
  announce(text_of(*bound), listen);
  listen_everywhere(std::move(own), facts);
  return {};
}

// TCP, and DNS as datagrams on the same port number; DNS over TCP is told by its destination.
Result<void, Failure> Gate::open_redirect(const ListenRedirect& where,
                                          std::shared_ptr<ListenerFacts> facts,
                                          const Listen& listen) {
  if (!facts->sandbox)
    return Failure{
        listen.source +
            ": a redirect listener needs `sandbox:`; redirected connections carry no credentials",
        2};
  facts->capture = Capture::redirect;
  facts->own_port = where.port;
  for (const std::string& address : redirect_addresses(where.address)) {
    auto tcp = listen_tcp(address, facts->own_port, listen.source);
    if (!tcp) return tcp.error();
    const auto bound = local_address(*tcp);
    facts->own_port = bound->port;
    bound_.emplace_back(listen.source, *bound);
    shared_.own_listeners.push_back(*bound);
    listen_everywhere(UniqueFd(*tcp), facts);
    auto udp = open_socket(SOCK_DGRAM, address, bound->port, listen.source);
    if (!udp) return udp.error();
    Worker& worker = *workers_.front();
    asio::post(worker.context(),
               [&worker, sandbox = facts->sandbox, fd = std::make_shared<const UniqueFd>(*udp)] {
                 spawn_on(worker, serve_dns_udp(worker, sandbox, fd, nullptr));
               });
    announce(text_of(*bound) + " for redirected connections and DNS", listen);
  }
  return {};
}

Result<void, Failure> Gate::open_unix(const ListenUnix& where, std::shared_ptr<ListenerFacts> facts,
                                      const Listen& listen, ActivatedSockets& activated) {
  facts->capture = Capture::unix_socket;
  if (auto taken = activated.take(where.path)) {  // its file stays: it is the manager's
    announce(where.path, listen);
    listen_everywhere(std::move(*taken), facts);
    return {};
  }
  auto fd = listen_unix(where.path, listen.source);
  if (!fd) return fd.error();
  unix_paths_.push_back(where.path);
  announce(where.path, listen);
  listen_everywhere(UniqueFd(*fd), facts);
  return {};
}

}  // namespace egret
