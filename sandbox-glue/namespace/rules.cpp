#include "sandbox-glue/namespace/rules.h"

#include <algorithm>
#include <cassert>
#include <net/if.h>
#include <sstream>

#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

// `capture` runs before `wall` (priorities -100 and 0), so `wall` sees what is left after the
// redirection: everything that was captured is on its way to loopback by then, replies included,
// because the routes of bring_up_loopback() make loopback the source of every packet. So nothing
// needs a rule for established connections, and what is not for loopback is refused, quickly.
//
// Lines that begin with `~` are there only for a guest behind a tap device: what it sends comes in
// by prerouting and input instead of output. All addresses are local, so nothing is ever forwarded.
// `answers` is what may go to the guest: replies to what it began, the errors of the walls, and
// what makes the gateway be found; a connection towards the guest cannot begin.
constexpr const char* rules_template = R"(table inet egret {
  chain capture {
    type nat hook output priority -100; policy accept;
    udp dport 53 redirect to :DNS_PORT
    tcp dport 53 redirect to :DNS_PORT
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    meta l4proto tcp redirect to :TCP_PORT
  }
~ chain answers {
~   ct direction reply accept
~   meta l4proto { icmp, ipv6-icmp } ct state related accept
~   icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
~   udp sport 67 udp dport 68 accept
~ }
  chain wall {
    type filter hook output priority 0; policy drop;
    oifname "lo" ip daddr 127.0.0.0/8 accept
    oifname "lo" ip6 daddr ::1 accept
~   oifname "GUEST_DEVICE" jump answers
    counter reject with icmpx type admin-prohibited
  }
~ chain guest_capture {
~   type nat hook prerouting priority -100; policy accept;
~   iifname != "GUEST_DEVICE" accept
~   udp dport 53 redirect to :DNS_PORT
~   tcp dport 53 redirect to :DNS_PORT
~   meta l4proto tcp redirect to :TCP_PORT
~ }
~ chain guest_wall {
~   type filter hook input priority 0; policy drop;
~   iifname "lo" accept
~   iifname != "GUEST_DEVICE" counter drop
~   ct status dnat accept
~   icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
~   udp sport 68 udp dport 67 accept
~   counter reject with icmpx type admin-prohibited
~ }
~ chain guest_forward {
~   type filter hook forward priority 0; policy drop;
~   counter drop
~ }
}
)";

void replace_all(std::string& text, const std::string& name, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) {
    text.replace(at, name.size(), value);
  }
}

// Without a guest its lines are left out; with one they lose their mark.
std::string template_for(const std::string& guest_device) {
  std::istringstream lines(rules_template);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const bool marked = line.front() == '~';
    if (marked && guest_device.empty()) continue;
    if (marked) line.front() = ' ';
    text.append(line).push_back('\n');
  }
  replace_all(text, "GUEST_DEVICE", guest_device);
  return text;
}

}  // namespace

std::string render_rules(std::uint16_t tcp_port, std::uint16_t dns_port,
                         const std::string& guest_device) {
  assert(tcp_port != 0 && dns_port != 0 && tcp_port != dns_port);
  assert(guest_device.empty() || is_device_name(guest_device));
  std::string rules = template_for(guest_device);
  replace_all(rules, "TCP_PORT", std::to_string(tcp_port));
  replace_all(rules, "DNS_PORT", std::to_string(dns_port));
  return rules;
}

std::string describe_rules(const std::string& guest_device) {
  return template_for(guest_device);
}

bool is_device_name(std::string_view name) {
  constexpr std::string_view alphanumeric =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::size_t length_max = IFNAMSIZ - 1;
  if (name.empty() || name.size() > length_max) return false;
  if (alphanumeric.find(name.front()) == std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return alphanumeric.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-';
  });
}

Result<void, SetupFault> load_rules(const std::string& nft_path, const std::string& rules,
                                    Rules mode) {
  // The first line makes sure that there is something to delete.
  const std::string before =
      mode == Rules::Replaced ? "table inet egret {}\ndelete table inet egret\n" : "";
  auto loaded = run_tool({nft_path, "-f", "-"}, before + rules);
  if (loaded) return {};
  SetupFault fault = loaded.error();
  fault.what = "cannot load the sandbox's nftables rules: " + fault.what;
  if (fault.remedy.empty()) {
    fault.remedy = "modprobe nf_tables nft_chain_nat nft_redir nft_reject_inet (kernel support)";
  }
  return fault;
}

bool has_rules(const std::string& nft_path) {
  return run_tool({nft_path, "list", "table", "inet", "egret"}, {}).has_value();
}

void delete_rules(const std::string& nft_path) noexcept {
  (void)run_tool({nft_path, "delete", "table", "inet", "egret"}, {});
}

}  // namespace egret
