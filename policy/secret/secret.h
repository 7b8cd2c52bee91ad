// A real credential. Move-only, wiped on destruction and on move, and it cannot be printed, logged
// or compared by accident: formatting it does not compile (DESIGN part 1, ATTACKS F09).
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace egret {

enum class SecretFault {
  empty,
  too_short,
  too_long,
  forbidden_byte
};  // under 8, over 8 KiB; control or non-ASCII
std::string_view describe(SecretFault fault);

// Overwrites and empties. The compiler may not remove it.
void wipe(std::string& text);
void wipe_bytes(void* data, std::size_t size);

class Secret {
 public:
  static constexpr std::size_t bytes_min = 8;
  static constexpr std::size_t bytes_max = 8192;

  // Takes the raw bytes of a source and wipes them. One trailing newline (LF or CRLF) is removed.
  static Result<Secret, SecretFault> from(std::string&& raw);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  // The real value, for the last step before the wire and for building redaction needles. Do not
  // keep a copy that is not wiped.
  std::string_view reveal() const { return value_; }

  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  Secret() = default;
  std::string value_;
};

}  // namespace egret
