#include "proxy/exchange/body_guard.h"

#include <algorithm>
#include <utility>

#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

// A secret may be put into a body for this target.
bool substitutes(const SandboxSnapshot& snapshot, const Target& target) {
  const std::vector<Grant>& grants = snapshot.grants.grants();
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
    return grant.has(PlaceKind::body) && grant.covers(target);
  });
}

std::string media_type(const FieldList& fields) {
  const std::string_view value = fields.find("content-type").value_or(std::string_view());
  return syntax::lower(value.substr(0, value.find_first_of("; \t,")));
}

bool is_json(std::string_view type) {
  return type.ends_with("/json") || type.ends_with("+json") || type.ends_with("/x-ndjson") ||
         type.ends_with("/ndjson") || type.ends_with("/jsonl") || type.ends_with("/json-seq");
}

// A value is put in as the body's type would hold it (ATTACKS F08).
const std::shared_ptr<const Needles>& needles_for_body(const SandboxSnapshot& snapshot,
                                                       const FieldList& fields) {
  const std::string type = media_type(fields);
  if (is_json(type)) return snapshot.body_json;
  return type == "application/x-www-form-urlencoded" ? snapshot.body_form : snapshot.body;
}

Refusal unreadable(std::string_view why) {
  std::string hint = "this body has to be searched for secrets and cannot be: ";
  hint += why;
  return {415, {Reason::body_unreadable, {}, std::move(hint)}};
}

}  // namespace

std::optional<Refusal> check_body_coding(const SandboxSnapshot& snapshot, const Target& target,
                                         const FieldList& request_fields) {
  if (content_codings(request_fields).readable || !substitutes(snapshot, target))
    return std::nullopt;
  return unreadable("its content coding is unknown; gzip, deflate, br and zstd can be read");
}

BodyGuard::BodyGuard(const SandboxSnapshot& snapshot, const Target& target,
                     const FieldList& request_fields, std::size_t step_bytes, MemoryBudget* memory)
    : snapshot_(snapshot), target_(target) {
  const std::shared_ptr<const Needles>& needles = needles_for_body(snapshot, request_fields);
  if (needles->empty()) return;
  const ContentCodings codings = content_codings(request_fields);
  const bool coded = codings.readable && !codings.is_identity();
  const bool rewritten = coded && substitutes(snapshot, target);
  rewriter_.emplace(needles, rewritten ? codings : ContentCodings(), BodyRewriter::Mode::rewrite,
                    step_bytes, memory);
  changes_length_ = rewritten || (substitutes(snapshot, target) && !needles->keeps_length());
  if (coded && !rewritten)
    watcher_.emplace(needles, codings, BodyRewriter::Mode::watch, step_bytes, memory);
}

Result<Progress, Refusal> BodyGuard::step(std::string_view& in, Behind behind, std::string& out) {
  if (!rewriter_) {
    out.append(std::exchange(in, std::string_view()));
    return Progress::done;
  }
  if (watcher_) {
    const auto watched = look_behind_coding(in, behind);
    if (!watched || *watched == Progress::again) return watched;
  }
  const std::size_t at_hand = in.size();
  const auto progress = rewriter_->step(in, behind, out);
  if (!progress) return unreadable(describe(progress.error()));
  if (auto refusal = check_hits(*rewriter_)) return std::move(*refusal);
  watched_ -= std::min(watched_, at_hand - in.size());
  return *progress;
}

// All of the input at hand, before any of it leaves.
Result<Progress, Refusal> BodyGuard::look_behind_coding(std::string_view in, Behind behind) {
  std::string_view unseen = in.substr(watched_);
  std::string nothing;
  const auto progress = watcher_->step(unseen, behind, nothing);
  watched_ = in.size() - unseen.size();
  if (auto refusal = check_hits(*watcher_)) return std::move(*refusal);
  if (progress) return *progress;
  const bool ours = progress.error() == CodingFault::memory;  // others may well read it
  if (ours || progress.error() == CodingFault::expands)
    return unreadable(describe(progress.error()));
  // Whoever gets it cannot read it either; placeholders in clear are still looked for.
  watcher_.reset();
  return Progress::done;
}

std::optional<Refusal> BodyGuard::check_hits(const BodyRewriter& rewriter) const {
  const auto& hits = rewriter.hit_ids();
  for (std::size_t id = 0; id < hits.size(); ++id) {
    if (hits[id] == 0) continue;
    const Grant& grant = snapshot_.grants.grants()[id];
    if (!grant.covers(target_)) {
      return Refusal{
          403,
          {Reason::secret_scope,
           {},
           "this secret is not for this host; its hosts stand under secrets in egret.yaml"}};
    }
    if (!grant.has(PlaceKind::body)) {
      return Refusal{403,
                     {Reason::secret_location,
                      {},
                      "a placeholder may not stand in a body here; `in: [body]` under the secret "
                      "in egret.yaml opens it"}};
    }
  }
  return std::nullopt;
}

std::vector<PlannedUse> BodyGuard::uses() const {
  std::vector<PlannedUse> uses;
  if (!rewriter_) return uses;
  const auto& hits = rewriter_->hit_ids();
  for (std::size_t id = 0; id < hits.size(); ++id) {
    if (hits[id] > 0)
      uses.push_back({&snapshot_.grants.grants()[id], "body", static_cast<unsigned>(hits[id])});
  }
  return uses;
}

}  // namespace egret
