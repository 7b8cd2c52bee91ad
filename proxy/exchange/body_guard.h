// What a client may send as a request body at this target, found while it streams: placeholders
// become secrets where a grant says `body`, and refuse the request everywhere else (ATTACKS F02).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/body_rewriter.h"
#include "proxy/exchange/placeholders.h"
#include "proxy/exchange/reply.h"
#include "proxy/exchange/snapshot.h"

namespace egret {

// A refusal where a secret may stand in the body here and its content coding cannot be read.
std::optional<Refusal> check_body_coding(const SandboxSnapshot& snapshot, const Target& target,
                                         const FieldList& request_fields);

class BodyGuard {
 public:
  // Borrows snapshot, target and memory. For a request that was admitted.
  BodyGuard(const SandboxSnapshot& snapshot, const Target& target, const FieldList& request_fields,
            std::size_t step_bytes = step_bytes_default, MemoryBudget* memory = nullptr);

  // Else every step would pass on what comes as it is.
  bool searches() const { return rewriter_.has_value(); }
  // As BodyRewriter::step(). On a refusal nothing of `out` may be sent, and nothing after it.
  Result<Progress, Refusal> step(std::string_view& in, Behind behind, std::string& out);
  // What leaves may be longer or shorter than what came: the body has to be chunked.
  bool changes_length() const { return changes_length_; }
  std::vector<PlannedUse> uses() const;

 private:
  Result<Progress, Refusal> look_behind_coding(std::string_view in, Behind behind);
  std::optional<Refusal> check_hits(const BodyRewriter& rewriter) const;

  const SandboxSnapshot& snapshot_;
  const Target& target_;
  std::optional<BodyRewriter> rewriter_;  // none: the sandbox has no placeholders
  // Where nothing may be substituted, a coded body leaves as it came, after a look at what it says.
  std::optional<BodyRewriter> watcher_;
  std::size_t watched_ = 0;  // so much of the input at hand
  bool changes_length_ = false;
};

}  // namespace egret
