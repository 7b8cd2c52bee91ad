// One step of what is done to a body on its way: decoding, replacing, encoding. A stage works in
// small steps, so that however far a few bytes expand, little of it is in memory at a time: the
// caller hands on what came out before it asks for more (ATTACKS H10).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "proxy/exchange/content_coding.h"
#include "proxy/wire/wiping_memory.h"

namespace egret {

// What is to be expected behind some input: more of it at once; perhaps nothing for long, so that
// everything has to leave now; nothing ever.
enum class Behind : std::uint8_t { more, pause, end };

// `again`: the same call has to be made once more, with what is left of the input. `done`: the
// input is used up and everything that has to leave has left.
enum class Progress : std::uint8_t { again, done };

enum class CodingFault : std::uint8_t {
  corrupt,    // these bytes are not of this coding, or a check sum is wrong
  truncated,  // the body ended within a stream
  trailing,   // bytes that belong to nothing follow a complete stream
  window,     // it asks for more memory than body_window_log_max
  expands,    // far more came out than any honest body holds
  memory      // there is none, or none left of its budget
};
// For a hint: `its gzip data is corrupt` and the like, a constant.
std::string_view describe(CodingFault fault);

// How much comes out of one step, about.
inline constexpr std::size_t step_bytes_default = 64 * 1024;
// RFC 8878 3.1.1.1.2 and RFC 9659: 8 MiB for zstd. What brotli can ask for ends at 16 MiB.
inline constexpr int body_window_log_max = 23;

class BodyStage {
 public:
  virtual ~BodyStage() = default;
  // Takes some of `in` off its front and appends at most a step's bytes to `out`.
  virtual Result<Progress, CodingFault> step(std::string_view& in, Behind behind,
                                             std::string& out) = 0;
};

// gzip of any number of members, zlib and raw deflate, br, zstd of any number of frames.
// What it needs counts against `memory`, which outlives it, where there is one.
std::unique_ptr<BodyStage> make_decoder(Coding coding, std::size_t step_bytes,
                                        MemoryBudget* memory = nullptr);
// At a fast level and with small windows. `deflate` is the zlib format.
std::unique_ptr<BodyStage> make_encoder(Coding coding, std::size_t step_bytes);

}  // namespace egret
