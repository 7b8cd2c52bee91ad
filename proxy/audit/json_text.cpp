#include "proxy/audit/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "proxy/audit/chain.h"
#include "proxy/wire/json_string.h"

namespace egret {
namespace {

// What a body may hold beside its text: the writer's own fields, keys, numbers and cut marks.
constexpr std::size_t overhead_bytes = 1700;

void two_digits(char* at, unsigned value) {
  at[0] = static_cast<char>('0' + value / 10);
  at[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void append_time(std::chrono::system_clock::time_point time, std::string& out) {
  namespace chr = std::chrono;
  const auto day = chr::floor<chr::days>(time);
  const chr::year_month_day date{day};
  const auto since = chr::duration_cast<chr::microseconds>(time - day).count();
  const auto seconds = static_cast<unsigned>(since / 1'000'000);
  auto micros = static_cast<unsigned>(since % 1'000'000);
  const auto year = static_cast<unsigned>(std::clamp(static_cast<int>(date.year()), 0, 9999));
  std::array<char, 28> text{"0000-00-00T00:00:00.000000Z"};
  two_digits(&text[0], year / 100);
  two_digits(&text[2], year % 100);
  two_digits(&text[5], static_cast<unsigned>(date.month()));
  two_digits(&text[8], static_cast<unsigned>(date.day()));
  two_digits(&text[11], seconds / 3600);
  two_digits(&text[14], seconds / 60 % 60);
  two_digits(&text[17], seconds % 60);
  two_digits(&text[20], micros / 10'000);
  micros %= 10'000;
  two_digits(&text[22], micros / 100);
  two_digits(&text[24], micros % 100);
  out.append(text.data(), text.size() - 1);
}

void JsonText::time(std::string_view name, std::chrono::system_clock::time_point time) {
  key(name);
  out_ += '"';
  append_time(time, out_);
  out_ += '"';
}

void JsonText::text(std::string_view name, std::string_view value, std::size_t bytes_max) {
  if (value.empty()) return;
  key(name);
  out_ += '"';
  const bool whole = append_json_escaped(value, JsonQuotes::hex, std::min(bytes_max, room()), out_);
  out_ += '"';
  if (whole) return;
  std::string mark(name);
  number(mark + "_len", value.size());
  key(mark + "_sha256");
  const Sha256Hex hash = sha256_hex(value);
  out_ += '"';
  out_.append(hash.data(), 16);
  out_ += '"';
}

void JsonText::number(std::string_view name, std::uint64_t value) {
  key(name);
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.append(digits.data(), end);
}

void JsonText::decimal(std::string_view name, double value) {
  const double tenths = std::isfinite(value) ? std::clamp(value * 10, 0.0, 1e15) : 0.0;
  const auto rounded = static_cast<std::uint64_t>(std::llround(tenths));
  number(name, rounded / 10);
  out_ += '.';
  out_ += static_cast<char>('0' + rounded % 10);
}

void JsonText::truth(std::string_view name) {
  key(name);
  out_ += "true";
}

void JsonText::open(std::string_view name, char bracket) {
  key(name);
  out_ += bracket;
  first_ = true;
}

void JsonText::open(char bracket) {
  comma();
  out_ += bracket;
  first_ = true;
}

void JsonText::close(char bracket) {
  out_ += bracket;
  first_ = false;
}

std::size_t JsonText::room() const {
  constexpr std::size_t body_max = record_bytes_max - overhead_bytes;
  const std::size_t used = out_.size() - begin_;
  return used < body_max ? body_max - used : 0;
}

void JsonText::key(std::string_view name) {
  comma();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void JsonText::comma() {
  if (!first_) out_ += ',';
  first_ = false;
}

}  // namespace egret
