#include "proxy/exchange/percent.h"
#include "proxy/exchange/reply.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

// Status codes of gRPC.
enum GrpcStatus : int {
  permission_denied = 7,
  resource_exhausted = 8,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16,
};

GrpcStatus grpc_status_of(int status) {
  switch (status) {
    case 403:
    case 405:
    case 421:
      return permission_denied;
    case 407:
      return unauthenticated;
    case 429:
      return resource_exhausted;
    default:
      return status >= 500 ? unavailable : internal;
  }
}

// As gRPC wants it: what is outside of 0x20-0x7e, and `%` itself, is encoded.
std::string grpc_message(std::string_view text) {
  return percent_encoded(text, [](char c) { return c >= 0x20 && c <= 0x7e && c != '%'; });
}

}  // namespace

bool speaks_grpc(const RequestHead& head) {
  constexpr std::string_view grpc = "application/grpc";
  if (head.version != Version::http2) return false;
  const std::string_view type = head.fields.find("content-type").value_or(std::string_view());
  return syntax::same_ignoring_case(type.substr(0, grpc.size()), grpc) &&
         (type.size() == grpc.size() || type[grpc.size()] == '+' || type[grpc.size()] == ';');
}

Reply grpc_reply_to(const Refusal& refusal, const ReplyContext& context) {
  const Reply plain = reply_to(refusal, context);
  Reply reply;
  reply.head.status = 200;
  reply.head.fields.add("content-type", "application/grpc");
  reply.head.fields.add("grpc-status", std::to_string(grpc_status_of(refusal.status)));
  // The same words as in the JSON body that other clients get.
  std::string_view words = plain.body;
  if (words.ends_with('\n')) words.remove_suffix(1);
  reply.head.fields.add("grpc-message", grpc_message(words));
  reply.head.fields.add("proxy-status", *plain.head.fields.find("proxy-status"));
  return reply;
}

}  // namespace egret
