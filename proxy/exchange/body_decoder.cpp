#include <algorithm>
#include <brotli/decode.h>
#include <new>
#include <optional>
#include <zlib.h>

#include "proxy/exchange/body_stage.h"
#include "proxy/wire/wiping_memory.h"

#ifndef ZSTD_STATIC_LINKING_ONLY
#define ZSTD_STATIC_LINKING_ONLY  // for its allocation callbacks
#endif
#include <zstd.h>
#include <zstd_errors.h>

namespace egret {
namespace {

// What every decoder does between its library's calls: one call a step, streams behind one
// another, and the ends.
class Decoder : public BodyStage {
 public:
  explicit Decoder(std::size_t step_bytes) : step_bytes_(step_bytes) {}

  Result<Progress, CodingFault> step(std::string_view& in, Behind behind, std::string& out) final {
    if (in.empty() && !pending_) {
      if (behind == Behind::end && state_ == State::within) return CodingFault::truncated;
      return Progress::done;
    }
    if (state_ != State::within) {
      const bool again = state_ == State::behind;
      if (again && !may_repeat()) return CodingFault::trailing;
      if (!may_begin(in.front())) return again ? CodingFault::trailing : CodingFault::corrupt;
      if (!begin(again)) return CodingFault::memory;
      state_ = State::within;
    }
    const std::size_t size = out.size();
    out.resize(size + step_bytes_);
    std::size_t room = step_bytes_;
    const auto ended = decode(in, out.data() + size, room);
    out.resize(size + step_bytes_ - room);
    if (!ended) return ended.error();
    // Where there was room left, everything has come out that these bytes can give.
    pending_ = *ended == Ended::no && room == 0;
    if (*ended == Ended::yes) state_ = State::behind;
    if (in.empty() && !pending_ && behind == Behind::end && state_ == State::within)
      return CodingFault::truncated;
    return in.empty() && !pending_ ? Progress::done : Progress::again;
  }

 protected:
  enum class Ended { no, yes };

 private:
  enum class State { before, within, behind };  // of a stream

  virtual bool may_repeat() const = 0;  // a stream behind another one
  virtual bool may_begin(char /*first*/) const { return true; }
  virtual bool begin(bool again) = 0;
  // Takes input off, writes to `to` and takes that off `room`.
  virtual Result<Ended, CodingFault> decode(std::string_view& in, char* to, std::size_t& room) = 0;

  std::size_t step_bytes_;
  State state_ = State::before;
  bool pending_ = false;
};

class Inflater final : public Decoder {
 public:
  Inflater(Coding coding, std::size_t step_bytes, MemoryBudget* memory)
      : Decoder(step_bytes), is_gzip_(coding == Coding::gzip) {
    stream_.opaque = memory;
  }
  ~Inflater() override {
    if (open_) inflateEnd(&stream_);
  }

 private:
  static constexpr int window_bits = 15;

  bool may_repeat() const override { return is_gzip_; }
  bool may_begin(char first) const override { return !is_gzip_ || first == '\x1f'; }

  bool begin(bool again) override {
    if (again) return inflateReset(&stream_) == Z_OK;
    return !is_gzip_ || open(window_bits + 16);
  }

  bool open(int bits) {
    stream_.zalloc = allocate_wiped_items;
    stream_.zfree = free_wiped;
    open_ = inflateInit2(&stream_, bits) == Z_OK;
    return open_;
  }

  // `deflate` is the zlib format; many peers send it bare. The first two bytes tell (RFC 1950 2.2).
  bool choose_format(std::string_view& in) {
    if (!first_) {
      first_ = static_cast<unsigned char>(in.front());
      in.remove_prefix(1);
      if (in.empty()) return true;
    }
    const unsigned second = static_cast<unsigned char>(in.front());
    const bool zlib =
        (*first_ & 15U) == 8 && *first_ >> 4 <= 7 && (*first_ * 256 + second) % 31 == 0;
    if (!open(zlib ? window_bits : -window_bits)) return false;
    stream_.next_in = &*first_;
    stream_.avail_in = 1;
    unsigned char nothing = 0;
    stream_.next_out = &nothing;
    stream_.avail_out = 0;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    return result == Z_OK || result == Z_BUF_ERROR;
  }

  Result<Ended, CodingFault> decode(std::string_view& in, char* to, std::size_t& room) override {
    if (!open_) {
      if (!choose_format(in)) return CodingFault::memory;
      if (!open_) return Ended::no;
    }
    const auto input = static_cast<uInt>(std::min<std::size_t>(in.size(), 1U << 30));
    // zlib's types want it, it reads only.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = input;
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(input - stream_.avail_in);
    room = stream_.avail_out;
    if (result == Z_STREAM_END) return Ended::yes;
    if (result == Z_OK || result == Z_BUF_ERROR) return Ended::no;
    return result == Z_MEM_ERROR ? CodingFault::memory : CodingFault::corrupt;
  }

  bool is_gzip_;
  bool open_ = false;
  std::optional<unsigned char> first_;
  z_stream stream_{};
};

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder(std::size_t step_bytes, MemoryBudget* memory)
      : Decoder(step_bytes), memory_(memory) {}
  ~BrotliDecoder() override { BrotliDecoderDestroyInstance(state_); }

 private:
  bool may_repeat() const override { return false; }

  bool begin(bool /*again*/) override {
    state_ = BrotliDecoderCreateInstance(allocate_wiped, free_wiped, memory_);
    return state_ != nullptr;
  }

  Result<Ended, CodingFault> decode(std::string_view& in, char* to, std::size_t& room) override {
    std::size_t left = in.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(in.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(to);
    const auto result =
        BrotliDecoderDecompressStream(state_, &left, &next, &room, &next_out, nullptr);
    in.remove_prefix(in.size() - left);
    if (result == BROTLI_DECODER_RESULT_ERROR) {
      const auto code = BrotliDecoderGetErrorCode(state_);
      const bool unfed = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                         code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
      return unfed ? CodingFault::memory : CodingFault::corrupt;
    }
    return result == BROTLI_DECODER_RESULT_SUCCESS ? Ended::yes : Ended::no;
  }

  MemoryBudget* memory_;
  BrotliDecoderState* state_ = nullptr;
};

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder(std::size_t step_bytes, MemoryBudget* memory)
      : Decoder(step_bytes), memory_(memory) {}
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

 private:
  // A frame, or a skippable one (RFC 8878 3.1). The formats of before the RFC, which the library
  // knows too, are nobody's business.
  bool may_begin(char first) const override {
    return first == '\x28' || (static_cast<unsigned char>(first) & 0xf0U) == 0x50U;
  }
  bool may_repeat() const override { return true; }

  bool begin(bool again) override {
    alone_ = 1;
    if (again) return true;  // the context expects a frame
    context_ = ZSTD_createDCtx_advanced({allocate_wiped, free_wiped, memory_});
    return context_ != nullptr && ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax,
                                                                      body_window_log_max)) == 0;
  }

  Result<Ended, CodingFault> decode(std::string_view& in, char* to, std::size_t& room) override {
    // A frame that is here as a whole would be decoded at once and its window not be looked at: the
    // same bytes would pass or not, depending on how they are cut. So its first byte goes alone.
    ZSTD_inBuffer input{in.data(), alone_ > 0 ? alone_ : in.size(), 0};
    alone_ = 0;
    ZSTD_outBuffer output{to, room, 0};
    const std::size_t result = ZSTD_decompressStream(context_, &output, &input);
    in.remove_prefix(input.pos);
    room -= output.pos;
    if (ZSTD_isError(result) != 0) {
      const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
      return code == ZSTD_error_frameParameter_windowTooLarge ? CodingFault::window
             : code == ZSTD_error_memory_allocation           ? CodingFault::memory
                                                              : CodingFault::corrupt;
    }
    return result == 0 ? Ended::yes : Ended::no;
  }

  MemoryBudget* memory_;
  ZSTD_DCtx* context_ = nullptr;
  std::size_t alone_ = 0;
};

}  // namespace

std::string_view describe(CodingFault fault) {
  switch (fault) {
    case CodingFault::corrupt:
      return "its coded data is corrupt";
    case CodingFault::truncated:
      return "its coded data ends too early";
    case CodingFault::trailing:
      return "other bytes follow its coded data";
    case CodingFault::window:
      return "its coding asks for a window of more than 8 MiB";
    case CodingFault::expands:
      return "its coded data expands too far";
    case CodingFault::memory:
      return "too much memory is in use for decoding; send or ask for fewer coded bodies at once";
  }
  return "";
}

std::unique_ptr<BodyStage> make_decoder(Coding coding, std::size_t step_bytes,
                                        MemoryBudget* memory) {
  switch (coding) {
    case Coding::br:
      return std::make_unique<BrotliDecoder>(step_bytes, memory);
    case Coding::zstd:
      return std::make_unique<ZstdDecoder>(step_bytes, memory);
    case Coding::gzip:
    case Coding::deflate:
      break;
  }
  return std::make_unique<Inflater>(coding, step_bytes, memory);
}

}  // namespace egret
