// Coded bodies as other programs make and read them: the libraries' one-shot calls, not the gate's
// stages.
#pragma once

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <string>
#include <string_view>
#include <vector>
#include <zlib.h>
#include <zstd.h>

#include <doctest/doctest.h>

#include "proxy/exchange/body_rewriter.h"

namespace egret::test {

inline const std::vector<Coding> all_codings = {Coding::gzip, Coding::deflate, Coding::br,
                                                Coding::zstd};

inline std::string_view name_of(Coding coding) {
  switch (coding) {
    case Coding::gzip:
      return "gzip";
    case Coding::deflate:
      return "deflate";
    case Coding::br:
      return "br";
    case Coding::zstd:
      break;
  }
  return "zstd";
}

inline std::string deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

inline std::string coded(Coding coding, std::string_view text) {
  if (coding == Coding::gzip) return deflated(text, 15 + 16);
  if (coding == Coding::deflate) return deflated(text, 15);
  if (coding == Coding::br) {
    std::size_t size = text.size() + text.size() / 8 + 1024;
    std::string out(size, '\0');
    REQUIRE(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(),
                                  reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                  reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_TRUE);
    out.resize(size);
    return out;
  }
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

// All of a coded text that is whole; the texts of the tests are not larger than this.
inline std::string plain(Coding coding, std::string_view text) {
  std::string out(std::size_t{512} << 10, '\0');
  if (text.empty()) return {};
  if (coding == Coding::gzip || coding == Coding::deflate) {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, coding == Coding::gzip ? 15 + 16 : 15) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    CHECK(stream.avail_in == 0);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
  }
  if (coding == Coding::br) {
    std::size_t size = out.size();
    CHECK(BrotliDecoderDecompress(text.size(), reinterpret_cast<const std::uint8_t*>(text.data()),
                                  &size, reinterpret_cast<std::uint8_t*>(out.data())) ==
          BROTLI_DECODER_RESULT_SUCCESS);
    out.resize(size);
    return out;
  }
  // A stream has no size in its frame.
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  std::size_t result = 1;
  while (input.pos < input.size && ZSTD_isError(result) == 0)
    result = ZSTD_decompressStream(context, &output, &input);
  CHECK(result == 0);
  ZSTD_freeDCtx(context);
  out.resize(output.pos);
  return out;
}

// What comes out of a rewriter or a stage for these pieces, whole; or the fault.
struct Outcome {
  std::string out;
  std::string fault;
  std::size_t largest_step = 0;
};

template <class Stage>
Outcome through(Stage& stage, const std::vector<std::string_view>& pieces,
                Behind between = Behind::pause) {
  Outcome outcome;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string_view rest = pieces[i];
    const Behind behind = i + 1 == pieces.size() ? Behind::end : between;
    for (Progress progress = Progress::again; progress == Progress::again;) {
      std::string step;
      const auto result = stage.step(rest, behind, step);
      outcome.out += step;
      outcome.largest_step = std::max(outcome.largest_step, step.size());
      if (!result) {
        outcome.fault = describe(result.error());
        return outcome;
      }
      progress = *result;
    }
    CHECK(rest.empty());
  }
  return outcome;
}

inline std::vector<std::string_view> in_pieces(std::string_view text, std::size_t bytes) {
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < text.size(); at += bytes)
    pieces.push_back(text.substr(at, bytes));
  if (pieces.empty()) pieces.emplace_back();
  return pieces;
}

inline ContentCodings codings_of(std::vector<Coding> applied) {
  ContentCodings codings;
  codings.applied = std::move(applied);
  return codings;
}

}  // namespace egret::test
