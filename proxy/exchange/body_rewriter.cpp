#include "proxy/exchange/body_rewriter.h"

#include <algorithm>
#include <utility>

namespace egret {
namespace {

// deflate gives at most 1032 bytes for one. What goes beyond, after some slack, is made to keep the
// gate busy: two codings one upon the other, or brotli and zstd driven to their limits.
constexpr std::uint64_t expansion_max = 2048;
constexpr std::uint64_t expansion_free_bytes = 64ULL << 20;
// So many runs of a stage are one step, if nothing comes out before.
constexpr unsigned runs_a_step = 8;
// Up to this growth a step's input is taken whole: cutting it would cost every body a second write.
constexpr std::size_t growth_small = 4;

}  // namespace

// The replacer as a stage. Input is taken in slices, so that what takes its place is a few steps at
// most.
class BodyRewriter::Replace final : public BodyStage {
 public:
  Replace(std::shared_ptr<const Needles> needles, std::size_t step_bytes)
      : growth_(needles ? needles->growth() : 1),
        longest_(needles ? needles->longest() : 0),
        slice_bytes_(growth_ <= growth_small ? step_bytes
                                             : std::max<std::size_t>(1, step_bytes / growth_)),
        replacer_(std::move(needles)) {}

  Result<Progress, CodingFault> step(std::string_view& in, Behind behind,
                                     std::string& out) override {
    const std::string_view slice = in.substr(0, slice_bytes_);
    // Growing on the way would leave copies behind that nobody wipes.
    out.reserve(out.size() + (slice.size() + longest_) * growth_);
    replacer_.push(slice, out);
    in.remove_prefix(slice.size());
    if (!in.empty()) return Progress::again;
    if (behind == Behind::end) replacer_.finish(out);
    return Progress::done;
  }

  const StreamReplacer& replacer() const { return replacer_; }

 private:
  std::size_t growth_;
  std::size_t longest_;
  std::size_t slice_bytes_;
  StreamReplacer replacer_;
};

BodyRewriter::BodyRewriter(std::shared_ptr<const Needles> needles, const ContentCodings& codings,
                           Mode mode, std::size_t step_bytes, MemoryBudget* memory)
    : mode_(mode) {
  // The last one applied is the first to be undone.
  for (std::size_t i = codings.applied.size(); i-- > 0;)
    add(make_decoder(codings.applied[i], step_bytes, memory));
  decoders_ = count_;
  auto replace = std::make_unique<Replace>(std::move(needles), step_bytes);
  replace_ = replace.get();
  add(std::move(replace));
  if (mode_ == Mode::watch) return;
  for (const Coding coding : codings.applied)
    add(make_encoder(coding, step_bytes));
}

BodyRewriter::~BodyRewriter() {
  for (Slot& slot : slots_)
    wipe(slot.in);
  wipe(discarded_);
}

std::uint64_t BodyRewriter::replaced() const {
  return replace_->replacer().replaced();
}

const std::vector<std::size_t>& BodyRewriter::hit_ids() const {
  return replace_->replacer().hit_ids();
}

// The last stage goes first: so never more than one step's output waits in front of another.
std::size_t BodyRewriter::next_with_work(std::string_view in) const {
  for (std::size_t i = count_; i-- > 0;) {
    const std::string_view rest = i == 0 ? in : slots_[i].rest();
    if (slots_[i].unfinished || !rest.empty()) return i;
  }
  return count_;
}

Result<Progress, CodingFault> BodyRewriter::step(std::string_view& in, Behind behind,
                                                 std::string& out) {
  if (!in.empty() || behind != behind_) settled_ = 0;
  begun_ = begun_ || !in.empty();
  behind_ = behind;
  const std::size_t size = out.size();
  for (unsigned runs = 0; runs < runs_a_step; ++runs) {
    std::size_t next = next_with_work(in);
    Behind told = Behind::more;
    if (next == count_) {
      // Everything has been taken up. A body of no bytes stays one, whatever its coding.
      if (behind == Behind::more || settled_ == count_ || !begun_) return Progress::done;
      next = settled_;
      told = behind;
    } else if (slots_[next].unfinished) {
      told = slots_[next].behind;
    }
    const auto ran = run(next, in, told, out);
    if (!ran) return ran.error();
    if (out.size() > size) break;
  }
  const bool idle = next_with_work(in) == count_;
  const bool settled = behind == Behind::more || settled_ == count_;
  return idle && settled ? Progress::done : Progress::again;
}

Result<void, CodingFault> BodyRewriter::run(std::size_t index, std::string_view& in, Behind behind,
                                            std::string& out) {
  Slot& slot = slots_[index];
  const bool last = index + 1 == count_;
  std::string* to = &out;
  if (!last) {
    to = &slots_[index + 1].in;  // all of it is taken: what has work goes first
    to->clear();
    slots_[index + 1].taken = 0;
  } else if (mode_ == Mode::watch) {
    to = &discarded_;
    to->clear();
  }
  const std::size_t before = to->size();
  std::string_view rest = index == 0 ? in : slot.rest();
  const std::size_t at_hand = rest.size();
  const auto progress = slot.stage->step(rest, behind, *to);
  const std::size_t used = at_hand - rest.size();
  if (index == 0) {
    in = rest;
    coded_bytes_ += used;
  } else {
    slot.taken += used;
  }
  if (!progress) return progress.error();
  if (index + 1 == decoders_) plain_bytes_ += to->size() - before;
  if (expands()) return CodingFault::expands;
  slot.unfinished = *progress == Progress::again;
  slot.behind = behind;
  if (!slot.unfinished && behind != Behind::more && index == settled_) ++settled_;
  return {};
}

bool BodyRewriter::expands() const {
  return decoders_ > 0 && plain_bytes_ > expansion_free_bytes &&
         plain_bytes_ / expansion_max > coded_bytes_;
}

}  // namespace egret
