// What confines one user of this machine, as values; and as the text that `nft -f -` loads.
//
// The user's TCP and DNS are redirected to the gate's redirect listener on loopback, everything
// else of the user is refused, in both families. Nothing of other users is touched, but that only
// redirected datagrams get to the gate's DNS.
//
// Nothing that a person wrote is part of the rules but numbers, and a cgroup's path of which every
// character was checked (ATTACKS G15).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// First to last, both included.
template <class Number>
struct Range {
  Number first;
  Number last;
  bool operator==(const Range&) const = default;
};
using UidRange = Range<std::uint32_t>;
using PortRange = Range<std::uint16_t>;

// `8080` or `3000-3010`; port 0 is none.
std::optional<PortRange> parse_port_range(std::string_view text);

// A cgroup of the unified hierarchy, relative to its root: `agents.slice/claude.scope`.
class CgroupPath {
 public:
  // With or without the leading slash or /sys/fs/cgroup.
  static Result<CgroupPath, SetupFault> parse(std::string_view text);

  const std::string& text() const { return text_; }
  unsigned level() const { return level_; }

 private:
  CgroupPath(std::string text, unsigned level) : text_(std::move(text)), level_(level) {}
  std::string text_;
  unsigned level_;  // components
};

struct HostRules {
  std::uint32_t uid = 0;       // names the rules: one set of them a user
  std::vector<UidRange> uids;  // that uid and its subordinate ones; sorted, apart from each other
  std::uint16_t port = 0;      // of the redirect listener, on 127.0.0.1 and ::1
  std::vector<PortRange> loopback_ports;  // TCP, to whatever listens there; sorted, apart
  std::optional<CgroupPath> cgroup;       // only the user's processes in it
};

// Sorted, and joined where they touch: nftables refuses sets whose ranges overlap.
template <class Number>
std::vector<Range<Number>> merged(std::vector<Range<Number>> ranges);
extern template std::vector<UidRange> merged(std::vector<UidRange> ranges);
extern template std::vector<PortRange> merged(std::vector<PortRange> ranges);

// One transaction that replaces what stands of this user; counters go on counting.
// REQUIRES: a user other than root, a port, and `uids` not empty.
std::string render_nft(const HostRules& rules);
// Leaves no trace, and is no error where there is nothing.
std::string render_nft_removal(std::uint32_t uid);

// How often the rules of one user did something.
struct HostCounts {
  std::uint32_t uid = 0;
  std::uint16_t port = 0;        // where they redirect to
  std::uint64_t redirected = 0;  // connections, and DNS queries of one socket counted once
  std::uint64_t refused = 0;     // packets
};

// Out of `nft list tables inet`.
std::vector<std::uint32_t> read_nft_users(std::string_view listed);
// Out of `nft list table inet egret_host_UID`; nothing where that is not a set of these rules.
std::optional<HostCounts> read_nft_counts(std::uint32_t uid, std::string_view listed);
std::string nft_table(std::uint32_t uid);

}  // namespace egret
