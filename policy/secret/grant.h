// A grant: this placeholder → this secret, at these places, for these targets. A placeholder
// anywhere else is refused (DESIGN part 6, ATTACKS F01, F02, F12).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decide/host_pattern.h"
#include "policy/secret/placeholder.h"
#include "policy/secret/secret.h"
#include "policy/target/target.h"

namespace egret {

enum class PlaceKind { credential_headers, header, query, path, body, websocket };

// Where a placeholder counts: `header` (the well-known credential headers, Basic too),
// `header:NAME`, `query:NAME`, `path`, `body`, `websocket` (text messages that the client sends).
struct Place {
  PlaceKind kind = PlaceKind::credential_headers;
  std::string name;  // header: lower-case field name; query: parameter name

  static Result<Place, PatternFault> parse(std::string_view text);
  std::string text() const;
  bool operator==(const Place&) const = default;
};

// authorization, x-api-key, api-key, x-goog-api-key, private-token, x-auth-token, cookie, …: field
// names (lower-case) that carry credentials. At a host with a grant they carry the placeholder or
// nothing.
bool is_credential_header(std::string_view lower_case_name);

enum class Foreign { refuse, allow };  // another credential at a host with a grant

struct Grant {
  std::string name;  // the environment variable in the sandbox
  Placeholder placeholder;
  std::shared_ptr<const Secret> secret;
  std::vector<HostPattern> hosts;
  std::vector<Place> places;
  Foreign foreign = Foreign::refuse;

  // https only, and one of its hosts.
  bool covers(const Target& target) const;
  bool covers(const Host& host) const;
  bool has(PlaceKind kind) const;
  // `header:NAME`, or `header` and the name is a credential header.
  bool allows_header(std::string_view lower_case_name) const;
  bool allows_query(std::string_view parameter_name) const;
};

// A sandbox's grants. Immutable; part of its snapshot.
class GrantTable {
 public:
  GrantTable() = default;
  explicit GrantTable(std::vector<Grant> grants);

  const std::vector<Grant>& grants() const { return grants_; }
  bool empty() const { return grants_.empty(); }
  // The grant whose placeholder is exactly this text.
  const Grant* find(std::string_view placeholder_text) const;
  bool any_covers(const Host& host) const;
  // At this host a credential header may carry nothing but a placeholder.
  bool refuses_foreign(const Host& host) const;

 private:
  std::vector<Grant> grants_;
};

}  // namespace egret
