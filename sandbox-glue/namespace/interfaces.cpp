#include "sandbox-glue/namespace/interfaces.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <net/if.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "policy/unique_fd.h"

namespace egret {
namespace {

// net.core.fb_tunnels_only_for_init_net=0: made with the namespace, impossible to delete.
constexpr std::array<std::string_view, 9> fallback_tunnels = {
    "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"};

bool is_down(const UniqueFd& any, const char* name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
  return ::ioctl(any.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) == 0;
}

}  // namespace

Result<std::vector<std::string>, SetupFault> ways_out() {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::unique_ptr<struct if_nameindex, decltype(&::if_freenameindex)> all(
      ::if_nameindex(), &::if_freenameindex);
  if (!any || !all) return system_fault("cannot list the namespace's interfaces", errno);
  std::vector<std::string> out;
  for (const struct if_nameindex* one = all.get(); one->if_index != 0; ++one) {
    const std::string_view name = one->if_name;
    const bool fallback =
        std::find(fallback_tunnels.begin(), fallback_tunnels.end(), name) != fallback_tunnels.end();
    if (name != "lo" && !(fallback && is_down(any, one->if_name))) out.emplace_back(name);
  }
  return {boost::system::in_place_value, std::move(out)};
}

}  // namespace egret
