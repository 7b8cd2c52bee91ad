// The hash chain of one writer: every line holds the SHA-256 of that writer's previous line, so
// that an edited, removed, inserted or moved line shows (`egret audit verify`).
//
// `prev` is the hash of the previous line's bytes from its `{` to its `}`, without the newline. The
// first record of a chain has 64 zeros. A line that was torn by a crash is not part of the chain.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace egret {

using Sha256Hex = std::array<char, 64>;
Sha256Hex sha256_hex(std::string_view bytes);
inline std::string_view view(const Sha256Hex& hash) {
  return {hash.data(), hash.size()};
}

struct Chain {
  std::uint64_t seq = 0;  // of the last record
  Sha256Hex prev;         // hash of the last record's line

  Chain() { prev.fill('0'); }
  Chain(std::uint64_t last_seq, std::string_view last_line)
      : seq(last_seq), prev(sha256_hex(last_line)) {}

  // Appends `{"v":1,"seq":N,"w":SLOT,BODY,"prev":"…"}` and a newline, and moves on.
  void append(std::string_view body, unsigned slot, std::string& out);
};

// What is read of a line without parsing its JSON. `text` begins at the record's `{`: a line may
// have the torn beginning of another writer's record in front.
struct LineHead {
  std::uint64_t seq = 0;
  unsigned slot = 0;
  std::string_view prev;
  std::string_view text;
};
// The record at the line's end; nothing where no whole one stands there.
std::optional<LineHead> line_head(std::string_view line);

// Usually one record and nothing else.
struct LineParts {
  std::vector<LineHead> records;  // in order
  std::string_view rest;          // what stands in front of them, or all where there are none
};
LineParts line_parts(std::string_view line);

}  // namespace egret
