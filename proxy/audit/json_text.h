// Writes the inside of one JSON object by hand, for the hot path: a line takes about 0.2 µs. Bytes
// of text outside 0x20-0x7e, `"` and `\` become \u00XX (bytes, not code points), so that no value
// can end a string, a line or a terminal's patience, and `{"v":1,"seq":` can stand nowhere but at a
// line's head.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace egret {

inline constexpr std::size_t field_bytes_max = 2048;   // rendered
inline constexpr std::size_t record_bytes_max = 8192;  // a whole line with its newline

// `2026-01-02T03:04:05.678901Z`. Calendar arithmetic only, about 10 ns.
void append_time(std::chrono::system_clock::time_point time, std::string& out);

// Appends to a string it borrows. Empty text is left out. Text that had to be cut is followed by
// `KEY_len` (bytes before the cut) and `KEY_sha256` (16 hex digits of the whole), and all text of
// one record shares a budget that keeps the line under record_bytes_max.
class JsonText {
 public:
  explicit JsonText(std::string& out) : out_(out), begin_(out.size()) {}

  void time(std::string_view key, std::chrono::system_clock::time_point time);
  void text(std::string_view key, std::string_view value, std::size_t bytes_max = field_bytes_max);
  void number(std::string_view key, std::uint64_t value);
  void decimal(std::string_view key, double value);  // one digit behind the point
  void truth(std::string_view key);                  // `"key":true`
  void open(std::string_view key, char bracket);     // `"key":{` or `"key":[`
  void open(char bracket);                           // an element of a list
  void close(char bracket);
  // Bytes of text that may still be added.
  std::size_t room() const;

 private:
  void key(std::string_view key);
  void comma();

  std::string& out_;
  std::size_t begin_;
  bool first_ = true;
};

}  // namespace egret
