#include <algorithm>
#include <brotli/encode.h>
#include <new>
#include <zlib.h>

#include "proxy/exchange/body_stage.h"
#include "proxy/wire/wiping_memory.h"

#ifndef ZSTD_STATIC_LINKING_ONLY
#define ZSTD_STATIC_LINKING_ONLY  // for its allocation callbacks
#endif
#include <zstd.h>

namespace egret {
namespace {

// Fast levels: the gate codes what somebody else has compressed with care already, and what it
// sends goes no further than the next hop's decoder.
constexpr int deflate_level = 1;
constexpr std::uint32_t brotli_quality = 2;
constexpr int zstd_level = 1;
// Small windows bound what a stream costs.
constexpr std::uint32_t brotli_window_log = 18;
constexpr int zstd_window_log = 18;
// zlib repeats the mark of a flush where it is given less room than this (zlib.h, deflate()).
constexpr std::size_t room_min = 16;

class Encoder : public BodyStage {
 public:
  explicit Encoder(std::size_t step_bytes) : step_bytes_(std::max(step_bytes, room_min)) {}

  Result<Progress, CodingFault> step(std::string_view& in, Behind behind, std::string& out) final {
    const std::size_t size = out.size();
    out.resize(size + step_bytes_);
    std::size_t room = step_bytes_;
    const auto settled = encode(in, behind, out.data() + size, room);
    out.resize(size + step_bytes_ - room);
    if (!settled) return settled.error();
    return *settled && in.empty() ? Progress::done : Progress::again;
  }

 private:
  // True once nothing is left to come out of what was taken so far.
  virtual Result<bool, CodingFault> encode(std::string_view& in, Behind behind, char* to,
                                           std::size_t& room) = 0;

  std::size_t step_bytes_;
};

class Deflater final : public Encoder {
 public:
  Deflater(Coding coding, std::size_t step_bytes) : Encoder(step_bytes) {
    stream_.zalloc = allocate_wiped_items;
    stream_.zfree = free_wiped;
    const int bits = coding == Coding::gzip ? 15 + 16 : 15;
    if (deflateInit2(&stream_, deflate_level, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflater() override { deflateEnd(&stream_); }

 private:
  Result<bool, CodingFault> encode(std::string_view& in, Behind behind, char* to,
                                   std::size_t& room) override {
    const auto input = static_cast<uInt>(std::min<std::size_t>(in.size(), 1U << 30));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = input;
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(room);
    const int flush = behind == Behind::more    ? Z_NO_FLUSH
                      : behind == Behind::pause ? Z_SYNC_FLUSH
                                                : Z_FINISH;
    const int result = deflate(&stream_, flush);
    in.remove_prefix(input - stream_.avail_in);
    room = stream_.avail_out;
    return behind == Behind::end ? result == Z_STREAM_END : room > 0;
  }

  z_stream stream_{};
};

class BrotliEncoder final : public Encoder {
 public:
  explicit BrotliEncoder(std::size_t step_bytes)
      : Encoder(step_bytes),
        state_(BrotliEncoderCreateInstance(allocate_wiped, free_wiped, nullptr)) {
    if (state_ == nullptr) throw std::bad_alloc();
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, brotli_quality);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, brotli_window_log);
  }
  ~BrotliEncoder() override { BrotliEncoderDestroyInstance(state_); }

 private:
  Result<bool, CodingFault> encode(std::string_view& in, Behind behind, char* to,
                                   std::size_t& room) override {
    std::size_t left = in.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(in.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(to);
    const auto operation = behind == Behind::more    ? BROTLI_OPERATION_PROCESS
                           : behind == Behind::pause ? BROTLI_OPERATION_FLUSH
                                                     : BROTLI_OPERATION_FINISH;
    if (BrotliEncoderCompressStream(state_, operation, &left, &next, &room, &next_out, nullptr) ==
        BROTLI_FALSE)
      return CodingFault::memory;  // the only fault it knows here
    in.remove_prefix(in.size() - left);
    if (BrotliEncoderHasMoreOutput(state_) == BROTLI_TRUE) return false;
    return behind != Behind::end || BrotliEncoderIsFinished(state_) == BROTLI_TRUE;
  }

  BrotliEncoderState* state_;
};

class ZstdEncoder final : public Encoder {
 public:
  explicit ZstdEncoder(std::size_t step_bytes)
      : Encoder(step_bytes),
        context_(ZSTD_createCCtx_advanced({allocate_wiped, free_wiped, nullptr})) {
    if (context_ == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, zstd_level);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, zstd_window_log);
  }
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }

 private:
  Result<bool, CodingFault> encode(std::string_view& in, Behind behind, char* to,
                                   std::size_t& room) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{to, room, 0};
    const auto operation = behind == Behind::more    ? ZSTD_e_continue
                           : behind == Behind::pause ? ZSTD_e_flush
                                                     : ZSTD_e_end;
    const std::size_t left = ZSTD_compressStream2(context_, &output, &input, operation);
    if (ZSTD_isError(left) != 0) return CodingFault::memory;
    in.remove_prefix(input.pos);
    room -= output.pos;
    return behind == Behind::more ? room > 0 : left == 0;
  }

  ZSTD_CCtx* context_;
};

}  // namespace

std::unique_ptr<BodyStage> make_encoder(Coding coding, std::size_t step_bytes) {
  switch (coding) {
    case Coding::br:
      return std::make_unique<BrotliEncoder>(step_bytes);
    case Coding::zstd:
      return std::make_unique<ZstdEncoder>(step_bytes);
    case Coding::gzip:
    case Coding::deflate:
      break;
  }
  return std::make_unique<Deflater>(coding, step_bytes);
}

}  // namespace egret
