// The one set of nftables rules that every sandbox's namespace gets, whatever kind of sandbox it
// is.
//
// Nothing of a request is ever part of the text: it is a fixed template, two validated ports and,
// where a guest's network card ends in the namespace, that device's validated name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "sandbox-glue/namespace/fault.h"

namespace egret {

// REQUIRES: both ports non-zero and different; `guest_device` is empty or is_device_name().
std::string render_rules(std::uint16_t tcp_port, std::uint16_t dns_port,
                         const std::string& guest_device = {});

// The same text with the names TCP_PORT and DNS_PORT in place of numbers: for people.
std::string describe_rules(const std::string& guest_device = {});

// Whether this can be a network device's name and stand between quotes in a rule: 1 to 15 of
// A-Z a-z 0-9 . _ - with a letter or digit first.
bool is_device_name(std::string_view name);

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
