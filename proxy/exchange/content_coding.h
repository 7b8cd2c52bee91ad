// Content codings (RFC 9110 8.4): which ones a message names, and which the gate can read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/wire/fields.h"

namespace egret {

enum class Coding : std::uint8_t { gzip, deflate, br, zstd };

// What the Content-Encoding fields of a message say, in the order in which they were applied.
struct ContentCodings {
  static constexpr std::size_t chain_max = 2;

  std::vector<Coding> applied;
  bool readable = true;  // false: an unknown coding, or a longer chain than anybody needs

  bool is_identity() const { return readable && applied.empty(); }
};
ContentCodings content_codings(const FieldList& fields);

// The Accept-Encoding for an origin whose answer has to be read: what the client offered and the
// gate can decode, with its q-values; `identity` where nothing is left.
std::string readable_offer(const FieldList& request_fields);

}  // namespace egret
