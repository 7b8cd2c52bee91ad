#include "tests/sandbox-glue/support/fake_gate.h"

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox-glue/namespace/original_destination.h"

namespace egret::test {
namespace {

std::string to_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + " " + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return std::string(text.data()) + " " + std::to_string(ntohs(v6.sin6_port));
}

void echo_datagram(const UniqueFd& socket) {
  std::array<char, 1500> bytes;
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  const ssize_t n = ::recvfrom(socket.get(), bytes.data(), bytes.size(), 0,
                               reinterpret_cast<sockaddr*>(&peer), &length);
  if (n < 0) return;
  ::sendto(socket.get(), bytes.data(), static_cast<std::size_t>(n), 0,
           reinterpret_cast<sockaddr*>(&peer), length);
}

}  // namespace

FakeGate::FakeGate(NamespaceSockets sockets, Report report)
    : sockets_(std::move(sockets)),
      report_(std::move(report)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { serve(); }) {}

FakeGate::~FakeGate() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

void FakeGate::accept_tcp(const UniqueFd& listener) {
  UniqueFd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  const auto original = original_destination(client.get());
  const std::string line = "tcp " + (original ? to_text(*original) : "unknown");
  report_(line);
  ::send(client.get(), line.data(), line.size(), MSG_NOSIGNAL);
}

void FakeGate::serve() {
  const UniqueFd* sockets[] = {&sockets_.tcp4,     &sockets_.tcp6,     &sockets_.dns_udp4,
                               &sockets_.dns_udp6, &sockets_.dns_tcp4, &sockets_.dns_tcp6};
  std::array<pollfd, 7> wait{};
  for (std::size_t i = 0; i < 6; ++i)
    wait[i] = {sockets[i]->get(), POLLIN, 0};
  wait[6] = {stop_.get(), POLLIN, 0};
  while (wait[6].revents == 0) {
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    for (std::size_t i = 0; i < 6; ++i) {
      if (wait[i].revents == 0) continue;
      const std::string family = i % 2 == 0 ? "4" : "6";
      if (i < 2) {
        accept_tcp(*sockets[i]);
      } else if (i < 4) {
        report_("dns-udp " + family);
        echo_datagram(*sockets[i]);
      } else {
        UniqueFd client(::accept4(sockets[i]->get(), nullptr, nullptr, SOCK_CLOEXEC));
        report_("dns-tcp " + family);
        ::send(client.get(), "dns", 3, MSG_NOSIGNAL);
      }
    }
  }
}

}  // namespace egret::test
