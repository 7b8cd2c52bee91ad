// The parts of a certificate, one call each, as RFC 5280 part 4 wants them. Each says whether it
// worked.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "certs/authority.h"

namespace egret {

inline constexpr std::chrono::hours backdating{1};  // clock skew between gate and sandbox
inline constexpr std::chrono::hours leaf_lifetime{24 * 7};

enum class Critical { no, yes };

PkeyPtr generate_p256();
// 128 random bits, never zero.
bool set_random_serial(X509* certificate);
bool set_validity(X509* certificate, std::chrono::system_clock::time_point from,
                  std::chrono::system_clock::time_point until);
// One attribute appended to a name; `field` is `CN` or `O`.
bool add_to_name(X509_NAME* name, const char* field, std::string_view text);
bool add_basic_constraints(X509* certificate, bool authority);
// `bits`: KU_DIGITAL_SIGNATURE and the like.
bool add_key_usage(X509* certificate, unsigned bits);
bool add_server_usage(X509* certificate);
bool add_subject_key_id(X509* certificate);
bool add_authority_key_id(X509* certificate, const X509* issuer);
bool add_alternative_name(X509* certificate, const Host& host, Critical critical);
// Critical name constraints: these names and everything below them, these addresses and ranges, and
// nothing else of either kind. False also where a name is no host, address or range.
bool add_name_constraints(X509* certificate, const std::vector<std::string>& permitted_names);

std::chrono::system_clock::time_point end_of(const X509* certificate);

}  // namespace egret
