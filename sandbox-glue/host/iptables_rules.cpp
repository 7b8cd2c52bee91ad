#include "sandbox-glue/host/iptables_rules.h"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace egret {
namespace {

constexpr std::string_view chain_prefix = "EGRET_";
constexpr std::string_view door_suffix = "_DNS";  // the chain that guards the gate's DNS

std::string chain_of(std::uint32_t uid) {
  return std::string(chain_prefix) + std::to_string(uid);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// `[12:720] -A OUTPUT …` without what it counted.
std::string_view rule_of(std::string_view line) {
  if (!line.starts_with('[')) return line;
  const std::size_t end = line.find("] ");
  return end == std::string_view::npos ? std::string_view() : line.substr(end + 2);
}

std::uint64_t packets_of(std::string_view line) {
  std::uint64_t packets = 0;
  if (line.starts_with('[')) std::from_chars(line.data() + 1, line.data() + line.size(), packets);
  return packets;
}

bool declares(std::string_view saved, const std::string& chain) {
  const auto lines = lines_of(saved);
  return std::any_of(lines.begin(), lines.end(),
                     [&](std::string_view line) { return line.starts_with(":" + chain + " "); });
}

// `-D OUTPUT …` for each way from outside into the user's chains.
std::string without_jumps(std::uint32_t uid, std::string_view saved) {
  std::string text;
  for (const std::string_view line : lines_of(saved)) {
    const std::string_view rule = rule_of(line);
    const std::string chain = chain_of(uid);
    const bool ours =
        rule.ends_with("-j " + chain) || rule.ends_with("-j " + chain + std::string(door_suffix));
    if (rule.starts_with("-A ") && ours) text += "-D" + std::string(rule.substr(2)) + "\n";
  }
  return text;
}

std::uint64_t counted(std::uint32_t uid, std::string_view saved, std::string_view target) {
  std::uint64_t packets = 0;
  for (const std::string_view line : lines_of(saved)) {
    const std::string_view rule = rule_of(line);
    const std::string own = "-A " + chain_of(uid);
    const bool ours =
        rule.starts_with(own + " ") || rule.starts_with(own + std::string(door_suffix) + " ");
    if (ours && rule.find(target) != std::string_view::npos) packets += packets_of(line);
  }
  return packets;
}

constexpr std::string_view redirecting = "-j REDIRECT";
constexpr std::string_view refusing = "-j REJECT";
constexpr std::string_view dropping = "-j DROP";

std::string ports_of(const PortRange& range) {
  const std::string first = std::to_string(range.first);
  return range.last == range.first ? first : first + ":" + std::to_string(range.last);
}

// One line for each range of uids.
std::string jumps(const HostRules& rules, const std::string& from, const std::string& chain) {
  std::string text;
  for (const UidRange& range : rules.uids) {
    text += "-I " + from + " 1 -m owner --uid-owner " + std::to_string(range.first);
    if (range.last != range.first) text += "-" + std::to_string(range.last);
    if (rules.cgroup) {
      std::string quoted;
      for (const char c : rules.cgroup->text())
        quoted += c == '\\' ? std::string("\\\\") : std::string(1, c);
      text += " -m cgroup --path \"" + quoted + "\"";
    }
    text += " -j " + chain + "\n";
  }
  return text;
}

struct Words {
  std::string one;    // where the gate listens
  std::string local;  // what stays on this machine
  std::string reject;
};

Words words_of(Family family) {
  return family == Family::v4
             ? Words{"127.0.0.1/32", "127.0.0.0/8", "REJECT --reject-with icmp-admin-prohibited"}
             : Words{"::1/128", "::1/128", "REJECT --reject-with icmp6-adm-prohibited"};
}

std::string counter(std::uint64_t packets) {
  return "[" + std::to_string(packets) + ":0] ";
}

std::string nat_rules(const HostRules& rules, Family family, std::string_view saved) {
  const std::string chain = chain_of(rules.uid);
  const std::string redirect = " -j REDIRECT --to-ports " + std::to_string(rules.port) + "\n";
  return ":" + chain + " - [0:0]\n" + without_jumps(rules.uid, saved) +  //
         "-A " + chain + " -p udp -m udp --dport 53" + redirect +        //
         "-A " + chain + " -p tcp -m tcp --dport 53" + redirect +        //
         "-A " + chain + " -d " + words_of(family).local + " -j RETURN\n" +
         counter(counted(rules.uid, saved, redirecting)) + "-A " + chain + " -p tcp" + redirect +
         jumps(rules, "OUTPUT", chain);
}

std::string filter_rules(const HostRules& rules, Family family, std::string_view saved) {
  const Words words = words_of(family);
  const std::string chain = chain_of(rules.uid);
  const std::string door = chain + std::string(door_suffix);
  const std::string port = std::to_string(rules.port);
  std::string text = ":" + chain + " - [0:0]\n:" + door + " - [0:0]\n";
  text += without_jumps(rules.uid, saved);
  for (const std::string protocol : {"tcp", "udp"}) {
    text += "-A " + chain + " -d " + words.one + " -p " + protocol + " -m " + protocol +
            " --dport " + port + " -j RETURN\n";
  }
  for (const PortRange& range : rules.loopback_ports) {
    const std::string to = "-A " + chain + " -d " + words.local + " -p tcp -m tcp ";
    text += to + "--dport " + ports_of(range) + " -j RETURN\n";
    text += to + "--sport " + ports_of(range) + " -m conntrack --ctdir REPLY -j RETURN\n";
  }
  text += counter(counted(rules.uid, saved, refusing)) + "-A " + chain + " -j " + words.reject +
          "\n-A " + door + " -m conntrack --ctorigdstport 53 -j RETURN\n-A " + door + " -j " +
          words.reject + "\n" + jumps(rules, "OUTPUT", chain);
  return text + "-I OUTPUT 1 -d " + words.one + " -p udp -m udp --dport " + port + " -j " + door +
         "\n";
}

// Where a packet really goes: see `exit` in host_rules.cpp.
std::string mangle_rules(const HostRules& rules, std::string_view saved) {
  const std::string chain = chain_of(rules.uid);
  return ":" + chain + " - [0:0]\n" + without_jumps(rules.uid, saved) +
         counter(counted(rules.uid, saved, dropping)) + "-A " + chain + " ! -o lo -j DROP\n" +
         jumps(rules, "POSTROUTING", chain);
}

std::string table_of(IptablesTable table, const std::string& rules) {
  return std::string("*") + name(table) + "\n" + rules + "COMMIT\n";
}

}  // namespace

const char* name(IptablesTable table) {
  switch (table) {
    case IptablesTable::mangle:
      return "mangle";
    case IptablesTable::filter:
      return "filter";
    case IptablesTable::nat:
      break;
  }
  return "nat";
}

std::string render_iptables(const HostRules& rules, Family family, IptablesTable table,
                            std::string_view saved) {
  assert(rules.uid != 0 && rules.port != 0 && !rules.uids.empty());
  switch (table) {
    case IptablesTable::mangle:
      return table_of(table, mangle_rules(rules, saved));
    case IptablesTable::filter:
      return table_of(table, filter_rules(rules, family, saved));
    case IptablesTable::nat:
      break;
  }
  return table_of(table, nat_rules(rules, family, saved));
}

std::string render_iptables_removal(std::uint32_t uid, IptablesTable table,
                                    std::string_view saved) {
  const std::string chain = chain_of(uid);
  std::string emptied;
  std::string removed;
  for (const std::string& one : {chain, chain + std::string(door_suffix)}) {
    if (!declares(saved, one)) continue;
    emptied += "-F " + one + "\n";
    removed += "-X " + one + "\n";
  }
  if (emptied.empty()) return {};
  return table_of(table, without_jumps(uid, saved) + emptied + removed);
}

std::vector<std::uint32_t> read_iptables_users(std::string_view saved) {
  std::vector<std::uint32_t> uids;
  const std::string before = ":" + std::string(chain_prefix);
  for (const std::string_view line : lines_of(saved)) {
    if (!line.starts_with(before)) continue;
    std::uint32_t uid = 0;
    const auto [end, error] =
        std::from_chars(line.data() + before.size(), line.data() + line.size(), uid);
    if (error == std::errc() && end != line.data() + line.size() && *end == ' ')
      uids.push_back(uid);
  }
  return uids;
}

std::optional<HostCounts> read_iptables_counts(std::uint32_t uid, const SavedTables& saved) {
  const std::string chain = chain_of(uid);
  for (const std::string* table : {&saved.mangle, &saved.filter, &saved.nat}) {
    if (!declares(*table, chain)) return std::nullopt;
  }
  HostCounts counts{uid, 0, counted(uid, saved.nat, redirecting),
                    counted(uid, saved.filter, refusing) + counted(uid, saved.mangle, dropping)};
  constexpr std::string_view before = "--to-ports ";
  for (const std::string_view line : lines_of(saved.nat)) {
    const std::size_t at = line.find(before);
    if (!rule_of(line).starts_with("-A " + chain + " ") || at == std::string_view::npos) continue;
    std::from_chars(line.data() + at + before.size(), line.data() + line.size(), counts.port);
  }
  return counts;
}

}  // namespace egret
