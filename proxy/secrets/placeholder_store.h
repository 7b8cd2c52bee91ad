// Placeholders and the proxy token of a sandbox: minted once, kept in
// `<state>/sandboxes/<sandbox>/` (0700) as `placeholders.json` and `proxy_token` (0600), so that
// `egret run`, `egret env` and `egret serve` all name the same ones. Processes take turns by the
// directory's lock and write atomically. A file that is damaged or that others could have read is
// refused, never replaced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "policy/secret/placeholder.h"
#include "proxy/secrets/source.h"

namespace egret {

inline constexpr std::size_t proxy_token_characters = 32;

struct PlaceholderRequest {
  std::string secret_name;
  PlaceholderShape shape;
};

// One for each request, in its order: the kept one where its shape is still the same, else a new
// one. `sandbox`: letters, digits, `-`, `_`, `.`, not beginning with a dot.
Result<std::vector<Placeholder>, SecretSourceFault> placeholders_for(
    const std::string& state_dir, std::string_view sandbox,
    const std::vector<PlaceholderRequest>& requests);

Result<Placeholder, SecretSourceFault> placeholder_for(const std::string& state_dir,
                                                       std::string_view sandbox,
                                                       std::string_view secret_name,
                                                       const PlaceholderShape& shape);

// 32 base62 characters: the password with which an explicit-proxy client says which sandbox it is.
Result<std::string, SecretSourceFault> proxy_token(const std::string& state_dir,
                                                   std::string_view sandbox);

}  // namespace egret
