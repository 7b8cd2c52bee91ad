#include "sandbox-glue/namespace/rules.h"

#include <cassert>

#include "sandbox-glue/namespace/tool.h"

namespace egret {
namespace {

// `capture` runs before `wall` (priorities -100 and 0), so `wall` sees what is left after the
// redirection: everything that was captured is on its way to loopback by then, replies included,
// because the routes of bring_up_loopback() make loopback the source of every packet. So nothing
// needs a rule for established connections, and what is not for loopback is refused, quickly.
constexpr const char* rules_template = R"(table inet egret {
  chain capture {
    type nat hook output priority -100; policy accept;
    udp dport 53 redirect to :DNS_PORT
    tcp dport 53 redirect to :DNS_PORT
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    meta l4proto tcp redirect to :TCP_PORT
  }
  chain wall {
    type filter hook output priority 0; policy drop;
    oifname "lo" ip daddr 127.0.0.0/8 accept
    oifname "lo" ip6 daddr ::1 accept
    counter reject with icmpx type admin-prohibited
  }
}
)";

void replace_all(std::string& text, const std::string& name, std::uint16_t port) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
    text.replace(at, name.size(), std::to_string(port));
  }
}

}  // namespace

std::string render_rules(std::uint16_t tcp_port, std::uint16_t dns_port) {
  assert(tcp_port != 0 && dns_port != 0 && tcp_port != dns_port);
  std::string rules = rules_template;
  replace_all(rules, "TCP_PORT", tcp_port);
  replace_all(rules, "DNS_PORT", dns_port);
  return rules;
}

std::string describe_rules() {
  return rules_template;
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
