#include "proxy/exchange/response_guard.h"

#include <utility>

#include "proxy/exchange/exchange.h"

namespace egret {
namespace {

Refusal unreadable_response(std::string_view why) {
  std::string hint = "the origin's answer has to be searched for secrets and cannot be: ";
  hint += why;
  return {502, {Reason::body_unreadable, {}, std::move(hint)}};
}

}  // namespace

ResponseGuard::ResponseGuard(const SandboxSnapshot& snapshot, const Host& host,
                             const FieldList& response_fields, std::size_t step_bytes,
                             MemoryBudget* memory) {
  const std::shared_ptr<const Needles>& needles = needles_for_response(snapshot, host);
  if (needles->empty()) return;
  ContentCodings codings;
  // Elsewhere no secret is expected: there a coded body is searched as it stands, at equal length.
  if (snapshot.grants.any_covers(host)) codings = content_codings(response_fields);
  readable_ = codings.readable;
  if (!readable_) codings.applied.clear();
  coded_ = !codings.applied.empty();
  keeps_length_ = needles->keeps_length() && !coded_;
  rewriter_.emplace(needles, codings, BodyRewriter::Mode::rewrite, step_bytes, memory);
}

std::optional<Refusal> ResponseGuard::unreadable() const {
  if (readable_) return std::nullopt;
  return unreadable_response("it has a content coding that was not offered");
}

BodyLength ResponseGuard::length_for_client(BodyLength from_origin, bool takes_chunks) const {
  BodyLength length = from_origin;
  if (length.kind == BodyLength::Kind::none) return length;
  // What is known to be empty stays so: gRPC tells an answer of trailers alone by that.
  if (length == BodyLength{BodyLength::Kind::length, 0} && !coded_) return length;
  if (length.kind != BodyLength::Kind::length || !keeps_length_)
    length.kind = takes_chunks ? BodyLength::Kind::chunked : BodyLength::Kind::until_close;
  return length;
}

Result<Progress, Refusal> ResponseGuard::step(std::string_view& in, Behind behind,
                                              std::string& out) {
  const auto progress = rewriter_->step(in, behind, out);
  if (!progress) return unreadable_response(describe(progress.error()));
  return *progress;
}

}  // namespace egret
