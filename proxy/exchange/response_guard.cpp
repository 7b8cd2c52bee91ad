#include "proxy/exchange/response_guard.h"

#include <utility>

#include "proxy/exchange/exchange.h"

namespace egret {
namespace {

// Elsewhere than at hosts with a grant no secret is expected: there a coded body is searched as it
// stands, at equal length.
bool decodes(const SandboxSnapshot& snapshot, const Host& host) {
  return snapshot.grants.any_covers(host);
}

ContentCodings decoded_codings(const SandboxSnapshot& snapshot, const Host& host,
                               const FieldList& fields) {
  ContentCodings codings = content_codings(fields);
  if (!codings.readable || !decodes(snapshot, host)) codings.applied.clear();
  return codings;
}

Refusal unreadable_response(std::string_view why) {
  std::string hint = "the origin's answer has to be searched for secrets and cannot be: ";
  hint += why;
  return {502, {Reason::body_unreadable, {}, std::move(hint)}};
}

}  // namespace

ResponseGuard::ResponseGuard(const SandboxSnapshot& snapshot, const Host& host,
                             const FieldList& response_fields, std::size_t step_bytes)
    : readable_(!decodes(snapshot, host) || content_codings(response_fields).readable),
      searches_(!needles_for_response(snapshot, host)->empty()),
      keeps_length_(needles_for_response(snapshot, host)->keeps_length() &&
                    decoded_codings(snapshot, host, response_fields).applied.empty()),
      rewriter_(needles_for_response(snapshot, host),
                decoded_codings(snapshot, host, response_fields), BodyRewriter::Mode::rewrite,
                step_bytes) {}

std::optional<Refusal> ResponseGuard::unreadable() const {
  if (readable_) return std::nullopt;
  return unreadable_response("it has a content coding that was not offered");
}

BodyLength ResponseGuard::length_for_client(BodyLength from_origin, bool takes_chunks) const {
  BodyLength length = from_origin;
  if (length.kind == BodyLength::Kind::none) return length;
  if (length.kind != BodyLength::Kind::length || (searches_ && !keeps_length_))
    length.kind = takes_chunks ? BodyLength::Kind::chunked : BodyLength::Kind::until_close;
  return length;
}

Result<Progress, Refusal> ResponseGuard::step(std::string_view& in, Behind behind,
                                              std::string& out) {
  const auto progress = rewriter_.step(in, behind, out);
  if (!progress) return unreadable_response(describe(progress.error()));
  return *progress;
}

}  // namespace egret
