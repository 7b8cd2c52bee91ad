// Coded bodies on their way: in pieces and in tiny steps they come out as they do at once, and what
// comes out holds no secret.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "proxy/exchange/body_rewriter.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

// Enough to go through every state, too little to be slow where a few bytes expand far.
constexpr std::size_t plain_bytes_max = 1 << 16;
constexpr std::string_view secret = "secret";

std::shared_ptr<const Needles> needles() {
  return std::make_shared<const Needles>(
      std::vector<Needles::Entry>{{std::string(secret), "<placeholder>", 0}});
}

struct Outcome {
  std::string out;
  bool fault = false;
  bool cut = false;  // stopped, because it is long enough
};

// Feeds a stage or a rewriter with pieces.
template <class Stage>
Outcome through(Stage& stage, std::string_view text, std::size_t piece_bytes_max,
                std::size_t step_bytes) {
  Outcome outcome;
  const auto feed = [&](std::string_view piece, Behind behind) {
    for (Progress progress = Progress::again; progress == Progress::again;) {
      const std::size_t before = outcome.out.size();
      const auto step = stage.step(piece, behind, outcome.out);
      outcome.fault = !step;
      outcome.cut = outcome.out.size() > plain_bytes_max;
      if (outcome.fault || outcome.cut) return false;
      require(outcome.out.size() - before <= 16 * step_bytes + 64, "a step is small");
      progress = *step;
    }
    require(piece.empty(), "all input is taken");
    return true;
  };
  bool going = true;
  fuzz::in_pieces(text, piece_bytes_max, [&](std::string_view piece) {
    going = feed(piece, piece_bytes_max % 2 == 0 ? Behind::pause : Behind::more);
    return going;
  });
  if (going) feed({}, Behind::end);
  return outcome;
}

Outcome decoded(const std::vector<Coding>& codings, std::string_view text,
                std::size_t piece_bytes_max, std::size_t step_bytes) {
  Outcome outcome{std::string(text), false, false};
  for (std::size_t i = codings.size(); i-- > 0 && !outcome.fault && !outcome.cut;) {
    const auto decoder = make_decoder(codings[i], step_bytes);
    outcome = through(*decoder, outcome.out, piece_bytes_max, step_bytes);
  }
  return outcome;
}

// Bytes of the input as the body: whatever they decode to.
void check_as_body(const ContentCodings& codings, std::string_view body,
                   std::size_t piece_bytes_max, std::size_t step_bytes) {
  const Outcome whole = decoded(codings.applied, body, body.size() + 1, 65536);
  if (whole.cut) return;
  const Outcome pieces = decoded(codings.applied, body, piece_bytes_max, step_bytes);
  // libzstd finds some corrupt blocks or not, depending on the room for what comes out.
  const bool any_zstd = std::find(codings.applied.begin(), codings.applied.end(), Coding::zstd) !=
                        codings.applied.end();
  if (any_zstd && pieces.fault != whole.fault) return;
  require(pieces.fault == whole.fault, "pieces are whole or broken as the whole is");
  BodyRewriter rewriter(needles(), codings, BodyRewriter::Mode::rewrite, step_bytes);
  const Outcome rewritten = through(rewriter, body, piece_bytes_max, step_bytes);
  if (rewritten.cut) return;
  require(rewritten.fault == whole.fault, "a rewriter reads what the decoders read");
  if (whole.fault || body.empty()) return;
  require(pieces.out == whole.out, "pieces decode to what the whole decodes to");
  std::uint64_t replaced = 0;
  const std::string expected = replace_all(needles(), whole.out, replaced);
  const Outcome back = decoded(codings.applied, rewritten.out, 65536, 65536);
  require(!back.fault && back.out == expected, "it is replaced and coded again");
  require(rewriter.replaced() == replaced, "and counted");
  BodyRewriter watcher(needles(), codings, BodyRewriter::Mode::watch, step_bytes);
  require(through(watcher, body, piece_bytes_max, step_bytes).out.empty(), "nothing leaves");
  require(watcher.replaced() == replaced, "watching finds the same");
}

// Bytes of the input as the text, coded first.
std::string coded(const std::vector<Coding>& codings, std::string text, std::size_t step_bytes) {
  for (const Coding coding : codings) {
    const auto encoder = make_encoder(coding, step_bytes);
    text = through(*encoder, text, 64, std::max<std::size_t>(step_bytes, 16)).out;
  }
  return text;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t chosen = input.octet();
  ContentCodings codings;
  codings.applied.push_back(static_cast<Coding>(chosen % 4));
  if ((chosen & 4U) != 0) codings.applied.push_back(static_cast<Coding>(chosen / 8 % 4));
  const std::size_t piece_bytes_max = 1 + input.octet() % 64;
  const std::size_t step_bytes = 1 + 4 * (input.octet() % 64U);
  const bool is_text = (chosen & 128U) != 0;
  const std::string_view rest = input.rest();
  check_as_body(codings, is_text ? coded(codings.applied, std::string(rest), step_bytes) : rest,
                piece_bytes_max, step_bytes);
  return 0;
}
