#include "sandbox-glue/vm/guest_services.h"

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sandbox-glue/namespace/guest_device.h"
#include "sandbox-glue/vm/dhcp.h"
#include "sandbox-glue/vm/router_advertisement.h"

namespace egret {
namespace {

constexpr int questions_at_a_time_max = 16;
constexpr time_t reminder_interval_s = 600;  // well within the lifetime that is announced
constexpr std::uint16_t dhcp_client_port = 68;

DhcpLease the_lease() {
  DhcpLease lease;
  ::inet_pton(AF_INET, guest_address4, &lease.address);
  ::inet_pton(AF_INET, guest_gateway4, &lease.gateway);
  lease.prefix = guest_prefix4;
  return lease;
}

}  // namespace

GuestServices::GuestServices(GuestSockets sockets)
    : sockets_(std::move(sockets)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  itimerspec interval{};
  interval.it_value.tv_sec = reminder_interval_s;
  interval.it_interval.tv_sec = reminder_interval_s;
  ::timerfd_settime(timer_.get(), 0, &interval, nullptr);
}

std::vector<Errand> GuestServices::errands() {
  std::vector<Errand> list{{sockets_.dhcp.get(), [this] { answer_dhcp_questions(); }}};
  if (sockets_.router) {
    list.push_back({sockets_.router.get(), [this] { answer_router_questions(); }});
    list.push_back({timer_.get(), [this] { remind(); }});
  }
  return list;
}

// To everybody on the wire: a client without an address hears nothing else.
void GuestServices::answer_dhcp_questions() {
  sockaddr_in everybody{};
  everybody.sin_family = AF_INET;
  everybody.sin_port = htons(dhcp_client_port);
  everybody.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  std::array<char, dhcp_message_bytes_max + 1> bytes;
  for (int i = 0; i < questions_at_a_time_max; ++i) {
    const ssize_t length = ::recv(sockets_.dhcp.get(), bytes.data(), bytes.size(), 0);
    if (length < 0) return;
    const auto question = read_dhcp({bytes.data(), static_cast<std::size_t>(length)});
    const auto answer = question ? answer_dhcp(*question, the_lease()) : std::nullopt;
    if (!answer) continue;
    // What does not get through, the guest asks again.
    (void)::sendto(sockets_.dhcp.get(), answer->data(), answer->size(), 0,
                   reinterpret_cast<const sockaddr*>(&everybody), sizeof(everybody));
  }
}

void GuestServices::answer_router_questions() {
  std::array<char, 256> bytes;
  bool asked = false;
  for (int i = 0; i < questions_at_a_time_max; ++i) {
    if (::recv(sockets_.router.get(), bytes.data(), bytes.size(), 0) < 0) break;
    asked = true;
  }
  if (asked) advertise();
}

void GuestServices::remind() {
  std::uint64_t times = 0;
  if (::read(timer_.get(), &times, sizeof(times)) == sizeof(times)) advertise();
}

void GuestServices::advertise() {
  in6_addr gateway{};
  ::inet_pton(AF_INET6, guest_gateway6, &gateway);
  const std::string message = router_advertisement(gateway);
  sockaddr_in6 all_nodes{};
  all_nodes.sin6_family = AF_INET6;
  ::inet_pton(AF_INET6, "ff02::1", &all_nodes.sin6_addr);
  (void)::sendto(sockets_.router.get(), message.data(), message.size(), 0,
                 reinterpret_cast<const sockaddr*>(&all_nodes), sizeof(all_nodes));
}

}  // namespace egret
