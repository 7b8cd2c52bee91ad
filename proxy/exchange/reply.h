// The one place where causes become answers to the client (STYLE 9). Only canonical values are
// echoed: never a byte, header, URL or secret name of a request (ATTACKS part 0).
#pragma once

#include <string>
#include <string_view>

#include "policy/decide/decide.h"
#include "proxy/wire/message.h"

namespace egret {

// Why an exchange ends without the origin's answer, and the status that says so.
struct Refusal {
  int status = 403;
  Denial denial;
};

// 403 for policy, 400 for malformed, 421, 407, 413/414/431/429, 502, 504, 508, 503.
int status_of(Reason reason);
Refusal refusal_of(Denial denial);
Refusal refusal_of(Reason reason);
Refusal refusal_of(const WireFault& fault);

struct Reply {
  ResponseHead head;
  std::string body;
};

struct ReplyContext {
  std::string_view sandbox;
  std::string_view id;  // of the exchange
  const Target* target = nullptr;
};
Reply reply_to(const Refusal& refusal, const ReplyContext& context);

// A gRPC client reads no body of a status other than 200: it is told by grpc-status and
// grpc-message, in a head that is the whole answer ("Trailers-Only").
bool speaks_grpc(const RequestHead& head);
Reply grpc_reply_to(const Refusal& refusal, const ReplyContext& context);

}  // namespace egret
