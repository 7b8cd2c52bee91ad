// A body on its way: decoded, searched and replaced, encoded again, as a stream and in constant
// memory. One mechanism for both directions: placeholders become secrets in requests, secrets
// become placeholders in responses (ATTACKS F03, F07, H10).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/secret/replacer.h"
#include "proxy/exchange/body_stage.h"
#include "proxy/exchange/content_coding.h"

namespace egret {

class BodyRewriter {
 public:
  // `watch`: decoded and searched, and nothing comes out.
  enum class Mode : std::uint8_t { rewrite, watch };

  // The codings have to be readable. With none, and without needles, everything passes as it is.
  BodyRewriter(std::shared_ptr<const Needles> needles, const ContentCodings& codings,
               Mode mode = Mode::rewrite, std::size_t step_bytes = step_bytes_default,
               MemoryBudget* memory = nullptr);
  ~BodyRewriter();  // wipes what is between the stages
  BodyRewriter(const BodyRewriter&) = delete;
  BodyRewriter& operator=(const BodyRewriter&) = delete;

  // Takes some of `in` off its front and appends about a step's bytes to `out`, or nothing: a step
  // is bounded in time too. After `again` the same call is to be made with what is left of `in`.
  // Behind::pause lets out everything but what may be the beginning of a needle.
  Result<Progress, CodingFault> step(std::string_view& in, Behind behind, std::string& out);

  std::uint64_t replaced() const;
  const std::vector<std::size_t>& hit_ids() const;

 private:
  class Replace;
  struct Slot {
    std::unique_ptr<BodyStage> stage;
    std::string in;         // what the stage before has made
    std::size_t taken = 0;  // of it
    bool unfinished = false;
    Behind behind = Behind::more;  // what the unfinished step was told

    std::string_view rest() const { return std::string_view(in).substr(taken); }
  };
  // Decoders, the replacer, encoders.
  static constexpr std::size_t slots_max = 2 * ContentCodings::chain_max + 1;

  void add(std::unique_ptr<BodyStage> stage) { slots_[count_++].stage = std::move(stage); }
  std::size_t next_with_work(std::string_view in) const;
  Result<void, CodingFault> run(std::size_t index, std::string_view& in, Behind behind,
                                std::string& out);
  bool expands() const;

  std::array<Slot, slots_max> slots_;
  std::size_t count_ = 0;
  std::size_t decoders_ = 0;
  Replace* replace_ = nullptr;  // one of the stages
  Mode mode_;
  std::string discarded_;
  // So many stages have let out what they held, as they were told last.
  std::size_t settled_ = 0;
  Behind behind_ = Behind::more;
  bool begun_ = false;
  std::uint64_t coded_bytes_ = 0;
  std::uint64_t plain_bytes_ = 0;
};

}  // namespace egret
