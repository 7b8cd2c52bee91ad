#include "sandbox-glue/host/host_rules.h"

#include <algorithm>
#include <cassert>

#include "sandbox-glue/host/read_number.h"

namespace egret {
namespace {

constexpr std::string_view table_prefix = "egret_host_";

// `capture` comes before other redirections of local packets (iptables' and docker's: -100), `wall`
// sees what is left. Rules are entered by a match and never left by a mismatch: a packet without a
// socket (a reset, an ICMP error) has no user, and must pass.
//
// The first two rules of `wall` concern everybody: to the gate's DNS leads nothing but redirection,
// or any user of the machine could ask in the name of this one's sandbox. The gate itself refuses
// TCP that was not redirected.
//
// A socket may be bound to a device without any privilege, and then a redirected packet goes out by
// that device, with loopback's address on it: `exit` sees where packets really go.
//
// A user's own port answers only (`ct direction reply`), or binding it first would open everything
// on loopback.
constexpr std::string_view nft_template = R"(table inet TABLE
flush table inet TABLE
table inet TABLE {
  counter redirected {}
  counter refused {}
  chain capture {
    type nat hook output priority -110; policy accept;
    WHO jump redirection
  }
  chain redirection {
    udp dport 53 counter name redirected redirect to :PORT
    tcp dport 53 counter name redirected redirect to :PORT
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto tcp counter name redirected redirect to :PORT
  }
  chain wall {
    type filter hook output priority 0; policy accept;
    ip daddr 127.0.0.1 udp dport PORT ct original proto-dst != 53 counter name refused reject
    ip6 daddr ::1 udp dport PORT ct original proto-dst != 53 counter name refused reject
    WHO jump confined
  }
  chain confined {
    ip daddr 127.0.0.1 meta l4proto { tcp, udp } th dport PORT return
    ip6 daddr ::1 meta l4proto { tcp, udp } th dport PORT return
LOOPBACK    counter name refused reject with icmpx type admin-prohibited
  }
  chain exit {
    type filter hook postrouting priority 0; policy accept;
    WHO oifname != "lo" counter name refused drop
  }
}
)";

constexpr std::string_view nft_loopback_template =
    R"(    ip daddr 127.0.0.0/8 tcp dport { PORTS } return
    ip daddr 127.0.0.0/8 tcp sport { PORTS } ct direction reply return
    ip6 daddr ::1 tcp dport { PORTS } return
    ip6 daddr ::1 tcp sport { PORTS } ct direction reply return
)";

void replace_all(std::string& text, std::string_view name, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) {
    text.replace(at, name.size(), value);
  }
}

template <class Number>
std::string set_of(const std::vector<Range<Number>>& ranges) {
  std::string text;
  for (const auto& [first, last] : ranges) {
    if (!text.empty()) text += ", ";
    text += std::to_string(first);
    if (last != first) text += "-" + std::to_string(last);
  }
  return text;
}

// The digits after the first `before` in `text`.
template <class Number>
std::optional<Number> number_after(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + before.size());
  return read_number<Number>(rest.substr(0, rest.find_first_not_of("0123456789")));
}

bool may_stand_in_a_path(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:@\\-+").find(c) != std::string_view::npos;
}

}  // namespace

std::optional<PortRange> parse_port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = read_number<std::uint16_t>(text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : read_number<std::uint16_t>(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

Result<CgroupPath, SetupFault> CgroupPath::parse(std::string_view text) {
  constexpr std::string_view mount = "/sys/fs/cgroup/";
  constexpr std::size_t path_bytes_max = 1024;
  constexpr unsigned level_max = 32;
  const SetupFault fault{"\"" + std::string(text.substr(0, path_bytes_max)) + "\" is no cgroup",
                         "write its path below /sys/fs/cgroup, e.g. agents.slice/claude.scope"};
  if (text.starts_with(mount)) text.remove_prefix(mount.size());
  if (text.starts_with('/')) text.remove_prefix(1);
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.empty() || text.size() > path_bytes_max) return fault;
  unsigned level = 0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || ++level > level_max ||
        !std::all_of(part.begin(), part.end(), may_stand_in_a_path)) {
      return fault;
    }
    begin = end + 1;
  }
  return CgroupPath(std::string(text), level);
}

template <class Number>
std::vector<Range<Number>> merged(std::vector<Range<Number>> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Range<Number>> out;
  for (const auto& range : ranges) {
    if (!out.empty() && (range.first <= out.back().last || range.first - out.back().last == 1)) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}
template std::vector<UidRange> merged(std::vector<UidRange> ranges);
template std::vector<PortRange> merged(std::vector<PortRange> ranges);

std::string nft_table(std::uint32_t uid) {
  return std::string(table_prefix) + std::to_string(uid);
}

std::string render_nft(const HostRules& rules) {
  assert(rules.uid != 0 && rules.port != 0 && !rules.uids.empty());
  std::string who = "meta skuid { " + set_of(rules.uids) + " }";
  if (rules.cgroup) {
    who += " socket cgroupv2 level " + std::to_string(rules.cgroup->level()) + " \"" +
           rules.cgroup->text() + "\"";
  }
  std::string loopback(rules.loopback_ports.empty() ? std::string_view() : nft_loopback_template);
  replace_all(loopback, "PORTS", set_of(rules.loopback_ports));
  std::string text(nft_template);
  replace_all(text, "LOOPBACK", loopback);
  replace_all(text, "TABLE", nft_table(rules.uid));
  replace_all(text, "PORT", std::to_string(rules.port));
  replace_all(text, "WHO", who);  // last: a path may hold any word
  return text;
}

std::string render_nft_removal(std::uint32_t uid) {
  const std::string table = "table inet " + nft_table(uid) + "\n";
  return table + "delete " + table;  // adding it first makes deleting it no error
}

std::vector<std::uint32_t> read_nft_users(std::string_view listed) {
  const std::string before = "table inet " + std::string(table_prefix);
  std::vector<std::uint32_t> uids;
  for (std::size_t at = 0; at < listed.size();) {
    const std::size_t end = std::min(listed.find('\n', at), listed.size());
    const std::string_view line = listed.substr(at, end - at);
    if (line.starts_with(before)) {
      if (const auto uid = read_number<std::uint32_t>(line.substr(before.size()))) {
        uids.push_back(*uid);
      }
    }
    at = end + 1;
  }
  return uids;
}

std::optional<HostCounts> read_nft_counts(std::uint32_t uid, std::string_view listed) {
  const std::size_t redirected = listed.find("counter redirected {");
  const std::size_t refused = listed.find("counter refused {");
  const auto port = number_after<std::uint16_t>(listed, "redirect to :");
  if (redirected == std::string_view::npos || refused == std::string_view::npos || !port) {
    return std::nullopt;
  }
  HostCounts counts{uid, *port, 0, 0};
  const auto packets = [&](std::size_t from) {
    return number_after<std::uint64_t>(listed.substr(from), "packets ").value_or(0);
  };
  counts.redirected = packets(redirected);
  counts.refused = packets(refused);
  return counts;
}

}  // namespace egret
