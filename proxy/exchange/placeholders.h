// Where a request carries placeholders, whether each is allowed there, and the real values put in
// as the last step before the wire (DESIGN part 6 "Placeholders", ATTACKS F01, F02, F05, F06, F11,
// F12).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/secret/grant.h"
#include "proxy/exchange/ingress.h"
#include "proxy/exchange/reply.h"
#include "proxy/wire/message.h"

namespace egret {

struct PlannedUse {
  const Grant* grant;  // in the snapshot that the exchange holds
  std::string in;      // `header:authorization`, `query:key`, `path`
  unsigned count = 1;
};

struct SecretPlan {
  std::vector<PlannedUse> uses;
  bool drops_cookies = false;  // at a host with a grant cookies are somebody else's credentials
  // The response has to be readable: no content coding is offered and no part is asked for (F03).
  bool scans_response = false;
};

struct SecretRefusal {
  Refusal refusal;
  std::string_view
      alarm;  // a constant for the record where the placeholder is none of this sandbox's
};

// Finds every placeholder of the head (plain, inside Basic, percent-encoded) and checks it.
Result<SecretPlan, SecretRefusal> plan_secrets(const GrantTable& grants, const Addressed& addressed,
                                               const RequestHead& head);

// Puts the real values into a head that plan_secrets() has accepted. To be called when the origin
// has proved its name, on a head that nothing but the wire sees afterwards; wipe its fields when
// sent.
void inject_secrets(const GrantTable& grants, const SecretPlan& plan, RequestHead& head);

}  // namespace egret
