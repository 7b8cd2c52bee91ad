// What of a response body the client gets: secrets that an origin sends become placeholders, as the
// body streams and whatever it is coded in (ATTACKS F03, F20).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/exchange/body_rewriter.h"
#include "proxy/exchange/reply.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/wire/message.h"

namespace egret {

class ResponseGuard {
 public:
  ResponseGuard(const SandboxSnapshot& snapshot, const Host& host, const FieldList& response_fields,
                std::size_t step_bytes = step_bytes_default, MemoryBudget* memory = nullptr);

  // Why a body with these fields cannot be passed on at all. One without a body can.
  std::optional<Refusal> unreadable() const;
  // False: the body passes as it is, and step() is not to be called.
  bool searches() const { return rewriter_.has_value(); }
  // How the client is told the length, given how the origin told it.
  BodyLength length_for_client(BodyLength from_origin, bool takes_chunks) const;

  // As BodyRewriter::step(). After a fault the response must not look complete.
  Result<Progress, Refusal> step(std::string_view& in, Behind behind, std::string& out);
  std::uint64_t redactions() const { return rewriter_ ? rewriter_->replaced() : 0; }

 private:
  bool readable_ = true;
  bool keeps_length_ = true;
  bool coded_ = false;
  std::optional<BodyRewriter> rewriter_;
};

}  // namespace egret
