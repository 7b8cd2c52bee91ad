// The one set of nftables rules that every sandbox's namespace gets, whatever kind of sandbox it
// is.
//
// Nothing of a request is ever part of the text: it is a fixed template and two validated ports.
#pragma once

#include <cstdint>
#include <string>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// REQUIRES: both ports non-zero and different.
std::string render_rules(std::uint16_t tcp_port, std::uint16_t dns_port);

// The same text with the names TCP_PORT and DNS_PORT in place of numbers: for people.
std::string describe_rules();

// Whether the namespace has had rules of ours before: then they are replaced.
enum class Rules { Fresh, Replaced };

// Loads `rules` into the current network namespace with the nft program at `nft_path`, all of it in
// one transaction or none of it.
Result<void, SetupFault> load_rules(const std::string& nft_path, const std::string& rules,
                                    Rules mode = Rules::Fresh);

// Whether a table of ours is there already.
bool has_rules(const std::string& nft_path);
void delete_rules(const std::string& nft_path) noexcept;

}  // namespace egret
