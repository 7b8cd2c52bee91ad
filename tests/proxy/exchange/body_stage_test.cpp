// Decoders and encoders, step by step: at every split, with tiny steps, against bombs and nonsense.
#include <random>

#include "tests/proxy/exchange/coded.h"

using namespace egret;
using namespace egret::test;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

std::string sample() {
  std::string text = "data: one\n\ndata: two, and one again\n\n";
  for (int byte = 0; byte < 256; ++byte)
    text += static_cast<char>(byte);
  return text + text;
}

std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(bytes, '\0');
  for (char& c : out)
    c = static_cast<char>(random() & 255U);
  return out;
}

Outcome decoded(Coding coding, const std::vector<std::string_view>& pieces,
                std::size_t step_bytes = step_bytes_default) {
  const auto decoder = make_decoder(coding, step_bytes);
  return through(*decoder, pieces);
}

std::string skippable_frame() {
  return std::string("\x53\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
}

}  // namespace

TEST_CASE("every coding is decoded at every split") {
  const std::string text = sample();
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const std::string body = coded(coding, text);
    const std::string_view all = body;
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
      const Outcome outcome = decoded(coding, {all.substr(0, cut), all.substr(cut)});
      CHECK(outcome.fault.empty());
      CHECK(outcome.out == text);
    }
    CHECK(decoded(coding, in_pieces(body, 1)).out == text);
  }
}

TEST_CASE("a decoder's step is as small as it is told, whatever it decodes") {
  const std::string text = sample() + std::string(5000, 'z') + noise(3000, 1);
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const std::string body = coded(coding, text);
    for (const std::size_t step_bytes : {1U, 2U, 7U, 64U, 1000U}) {
      for (const std::size_t piece_bytes : {1U, 3U, 100U, 100000U}) {
        CAPTURE(step_bytes);
        CAPTURE(piece_bytes);
        const Outcome outcome = decoded(coding, in_pieces(body, piece_bytes), step_bytes);
        CHECK(outcome.fault.empty());
        CHECK(outcome.out == text);
        CHECK(outcome.largest_step <= step_bytes);
      }
    }
  }
}

TEST_CASE("deflate is the zlib format, and bare deflate is read too") {
  const std::string text = sample();
  const std::string bare = deflated(text, -15);
  for (std::size_t cut = 0; cut <= bare.size(); ++cut) {
    const std::string_view all = bare;
    CHECK(decoded(Coding::deflate, {all.substr(0, cut), all.substr(cut)}).out == text);
  }
  CHECK(decoded(Coding::deflate, {deflated(text, 9)}).out == text);
}

TEST_CASE("members and frames behind one another are one text, at every split") {
  const std::string first = sample();
  const std::string second = "and the second";
  for (const Coding coding : {Coding::gzip, Coding::zstd}) {
    CAPTURE(name_of(coding));
    std::string body = coded(coding, first);
    if (coding == Coding::zstd) body += skippable_frame();
    body += coded(coding, second);
    body += coded(coding, "");
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
      const std::string_view all = body;
      const Outcome outcome = decoded(coding, {all.substr(0, cut), all.substr(cut)}, 50);
      CHECK(outcome.fault.empty());
      CHECK(outcome.out == first + second);
    }
  }
}

TEST_CASE("a body cut off anywhere is a fault, never a shorter body") {
  const std::string text = sample();
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const std::string body = coded(coding, text);
    for (std::size_t bytes = 1; bytes < body.size(); ++bytes) {
      CAPTURE(bytes);
      const Outcome outcome = decoded(coding, {std::string_view(body).substr(0, bytes)});
      CHECK(outcome.fault == describe(CodingFault::truncated));
    }
    CHECK(decoded(coding, {""}).fault.empty());
  }
}

TEST_CASE("bytes behind a complete stream are a fault") {
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    for (const char* behind : {"x", "more of it", "\n"}) {
      const std::string body = coded(coding, sample()) + behind;
      CHECK(decoded(coding, {body}).fault == describe(CodingFault::trailing));
      CHECK(decoded(coding, in_pieces(body, 1)).fault == describe(CodingFault::trailing));
    }
  }
  const std::string twice = coded(Coding::br, "a") + coded(Coding::br, "b");
  CHECK(decoded(Coding::br, {twice}).fault == describe(CodingFault::trailing));
}

TEST_CASE("no byte of a checked body can change unseen") {
  const std::string text = sample();
  std::string zstd(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  zstd.resize(ZSTD_compress2(context, zstd.data(), zstd.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  struct {
    Coding coding;
    std::string body;
    std::size_t from;
  } const rows[] = {
      {Coding::gzip, coded(Coding::gzip, text), 10},  // behind the header's free parts
      {Coding::deflate, coded(Coding::deflate, text), 2},
      {Coding::zstd, zstd, 4}};
  for (const auto& row : rows) {
    CAPTURE(name_of(row.coding));
    for (std::size_t at = row.from; at < row.body.size(); ++at) {
      CAPTURE(at);
      std::string body = row.body;
      body[at] = static_cast<char>(body[at] ^ 0x10);
      const Outcome outcome = decoded(row.coding, {body});
      CHECK((!outcome.fault.empty() || outcome.out == text));
    }
  }
}

TEST_CASE("nonsense is a fault in every coding") {
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    unsigned faults = 0;
    for (unsigned seed = 1; seed <= 50; ++seed) {
      const Outcome outcome = decoded(coding, {noise(2000, seed)});
      faults += outcome.fault.empty() ? 0 : 1;
    }
    CHECK(faults == 50);
    CHECK_FALSE(decoded(coding, {"{\"plain\":\"text\"}"}).fault.empty());
  }
}

TEST_CASE("a zstd window of more than 8 MiB is refused, 8 MiB is not") {
  for (const int log : {body_window_log_max, body_window_log_max + 1}) {
    CAPTURE(log);
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, log);
    std::string out(1000, '\0');
    ZSTD_inBuffer input{"text", 4, 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    // Begun as a stream, so that the frame does not say how little it holds.
    ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush);
    ZSTD_compressStream2(context, &output, &input, ZSTD_e_end);
    ZSTD_freeCCtx(context);
    out.resize(output.pos);
    const Outcome outcome = decoded(Coding::zstd, {out});
    if (log > body_window_log_max) {
      CHECK(outcome.fault == describe(CodingFault::window));
    } else {
      CHECK(outcome.out == "text");
    }
  }
}

TEST_CASE("a zstd window is looked at however the frame is cut, also where it says it is small") {
  // Magic, a content size of 1 byte and a window of 2^24; one raw block of 4 bytes, the last.
  using namespace std::string_literals;
  const std::string frame =
      "\x28\xb5\x2f\xfd"s + "\x80"s + "\x70"s + "\x04\x00\x00\x00"s + "\x21\x00\x00text"s;
  for (const std::size_t piece_bytes : {1U, 4U, 5U, 100U})
    CHECK(decoded(Coding::zstd, in_pieces(frame, piece_bytes)).fault ==
          describe(CodingFault::window));
}

TEST_CASE("the formats that zstd had before its RFC are not read") {
  for (const char version : {'\x22', '\x23', '\x24', '\x25', '\x26', '\x27'}) {
    std::string frame = coded(Coding::zstd, "text");
    frame[0] = version;
    CHECK(decoded(Coding::zstd, {frame}).fault == describe(CodingFault::corrupt));
  }
}

TEST_CASE("brotli with large windows is refused") {
  BrotliEncoderState* state = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_LARGE_WINDOW, 1);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, 28);
  std::string out(1000, '\0');
  std::size_t left = 4;
  std::size_t room = out.size();
  const auto* next = reinterpret_cast<const std::uint8_t*>("text");
  auto* to = reinterpret_cast<std::uint8_t*>(out.data());
  REQUIRE(BrotliEncoderCompressStream(state, BROTLI_OPERATION_FINISH, &left, &next, &room, &to,
                                      nullptr) == BROTLI_TRUE);
  BrotliEncoderDestroyInstance(state);
  out.resize(out.size() - room);
  CHECK(decoded(Coding::br, {out}).fault == describe(CodingFault::corrupt));
}

TEST_CASE("a bomb comes out a step at a time") {
  const std::string zeros(4 * mib, '\0');
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const std::string bomb = coded(coding, zeros);
    CHECK(bomb.size() < zeros.size() / 900);
    const auto decoder = make_decoder(coding, step_bytes_default);
    std::string_view rest = bomb;
    std::size_t bytes = 0;
    for (Progress progress = Progress::again; progress == Progress::again;) {
      std::string out;
      const auto step = decoder->step(rest, Behind::end, out);
      REQUIRE(step.has_value());
      CHECK(out.size() <= step_bytes_default);
      CHECK(out.find_first_not_of('\0') == std::string::npos);
      bytes += out.size();
      progress = *step;
    }
    CHECK(bytes == zeros.size());
  }
}

TEST_CASE("decoders share a budget: who finds it spent says so, and it is free again behind them") {
  const std::string body = noise(600000, 4);
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    const std::string in = coded(coding, body);
    MemoryBudget enough(32 * mib);
    std::size_t needed = 0;
    {
      const auto decoder = make_decoder(coding, step_bytes_default, &enough);
      CHECK(through(*decoder, {in}).out == body);
      needed = enough.used();
      CHECK(needed > 0);
    }
    CHECK(enough.used() == 0);
    for (std::size_t part = 1; part <= 4; ++part) {
      CAPTURE(part);
      MemoryBudget small(needed * part / 5);
      {
        const auto decoder = make_decoder(coding, step_bytes_default, &small);
        CHECK(through(*decoder, {in}).fault == describe(CodingFault::memory));
      }
      CHECK(small.used() == 0);
    }
  }
}

TEST_CASE("what an encoder makes is read by others, however it is cut") {
  const std::string text = sample() + noise(70000, 3) + std::string(200000, 'y');
  for (const Coding coding : all_codings) {
    CAPTURE(name_of(coding));
    for (const std::size_t step_bytes : {std::size_t{1}, std::size_t{1000}, step_bytes_default}) {
      for (const std::size_t piece_bytes : {1000U, 4096U, 1000000U}) {
        CAPTURE(step_bytes);
        CAPTURE(piece_bytes);
        const auto encoder = make_encoder(coding, step_bytes);
        const Outcome outcome = through(*encoder, in_pieces(text, piece_bytes));
        CHECK(plain(coding, outcome.out) == text);
        CHECK(outcome.largest_step <= std::max<std::size_t>(step_bytes, 16));
      }
    }
    const auto encoder = make_encoder(coding, step_bytes_default);
    const Outcome bytewise = through(*encoder, in_pieces(sample(), 1));
    CHECK(plain(coding, bytewise.out) == sample());
  }
}

TEST_CASE("a pause lets out all there is: the other side can decode it at once") {
  for (const Coding coding : all_codings) {
    for (const std::size_t step_bytes : {std::size_t{16}, step_bytes_default}) {
      CAPTURE(name_of(coding));
      CAPTURE(step_bytes);
      const auto encoder = make_encoder(coding, step_bytes);
      const auto decoder = make_decoder(coding, step_bytes);
      for (int event = 0; event < 50; ++event) {
        const std::string text = "data: " + std::to_string(event) + "\n\n";
        std::string_view rest = text;
        std::string on_the_wire;
        while (*encoder->step(rest, Behind::pause, on_the_wire) == Progress::again) {
        }
        std::string_view arrived = on_the_wire;
        std::string out;
        while (*decoder->step(arrived, Behind::pause, out) == Progress::again) {
        }
        CHECK(out == text);
      }
    }
  }
}
