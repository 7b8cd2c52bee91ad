// Reads big-endian numbers and counted pieces off the front of a message; once something is missing
// it stays failed and yields zeros, so a parser checks once behind several reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace egret {

class OctetReader {
 public:
  explicit OctetReader(std::string_view octets) : octets_(octets) {}

  std::uint32_t number(std::size_t octets) {
    std::uint32_t result = 0;
    for (const char c : bytes(octets))
      result = result << 8 | static_cast<unsigned char>(c);
    return result;
  }
  std::string_view bytes(std::size_t count) {
    if (count > octets_.size()) failed_ = true;
    if (failed_) return {};
    const std::string_view piece = octets_.substr(0, count);
    octets_.remove_prefix(count);
    return piece;
  }
  // A length of so many octets, then that many bytes.
  std::string_view counted(std::size_t length_octets) { return bytes(number(length_octets)); }

  bool failed() const { return failed_; }
  bool at_end() const { return !failed_ && octets_.empty(); }
  std::size_t left() const { return failed_ ? 0 : octets_.size(); }

 private:
  std::string_view octets_;
  bool failed_ = false;
};

inline void append_number16(std::string& out, std::uint32_t number) {
  out.push_back(static_cast<char>(number >> 8 & 0xff));
  out.push_back(static_cast<char>(number & 0xff));
}

}  // namespace egret
