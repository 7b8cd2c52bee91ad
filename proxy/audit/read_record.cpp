#include "proxy/audit/read_record.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "proxy/audit/json_text.h"
#include "proxy/wire/json_string.h"

namespace egret {
namespace {

using Json = nlohmann::json;
namespace chr = std::chrono;

// `digits` decimal digits and nothing else.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<chr::system_clock::duration> parse_age(std::string_view text) {
  unsigned long count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc{} || count > 36'500'000 || end + 1 != text.data() + text.size()) {
    return std::nullopt;
  }
  const auto amount = static_cast<long>(count);
  switch (*end) {
    case 's':
      return chr::seconds(amount);
    case 'm':
      return chr::minutes(amount);
    case 'h':
      return chr::hours(amount);
    case 'd':
      return amount > 36'500 ? std::nullopt
                             : std::optional<chr::system_clock::duration>(chr::days(amount));
    default:
      return std::nullopt;
  }
}

// `Z`, `+02:00` or nothing (UTC).
std::optional<chr::minutes> parse_offset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return chr::minutes(0);
  const bool west = text.front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  const chr::minutes offset = chr::hours(*hours) + chr::minutes(*minutes);
  return west ? -offset : offset;
}

std::optional<chr::system_clock::time_point> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const chr::year_month_day date{chr::year(*year), chr::month(static_cast<unsigned>(*month)),
                                 chr::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  // Nanoseconds in 64 bits end in 2262; what is later than any record is simply late.
  constexpr int last_year = 2261;
  if (*year > last_year) return chr::system_clock::time_point::max();
  chr::system_clock::time_point time = chr::sys_days(date);
  if (text.empty()) return time;
  if (!take(text, "Tt ")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  time += chr::hours(*hours) + chr::minutes(*minutes);
  if (take(text, ":")) {
    const auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 60) return std::nullopt;
    time += chr::seconds(*seconds);
    if (take(text, ".")) {
      chr::microseconds unit{100'000};
      if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
      while (const auto digit = take_digits(text, 1)) {
        time += unit * *digit;
        unit /= 10;
      }
    }
  }
  const auto offset = parse_offset(text);
  if (!offset) return std::nullopt;
  return time - *offset;
}

}  // namespace

std::optional<ReadRecord> ReadRecord::parse(std::string_view line) {
  Json parsed = Json::parse(line, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  const auto version = parsed.find("v");
  if (version == parsed.end() || *version != 1) return std::nullopt;
  return ReadRecord(std::move(parsed));
}

const Json* ReadRecord::find(const char* object, const char* field) const {
  const auto outer = json_.find(object);
  if (outer == json_.end() || field == nullptr) return outer == json_.end() ? nullptr : &*outer;
  if (!outer->is_object()) return nullptr;
  const auto inner = outer->find(field);
  return inner == outer->end() ? nullptr : &*inner;
}

std::string ReadRecord::text(const char* field) const {
  return text(field, nullptr);
}

std::string ReadRecord::text(const char* object, const char* field) const {
  const Json* found = find(object, field);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t ReadRecord::number(const char* field) const {
  return number(field, nullptr);
}

std::uint64_t ReadRecord::number(const char* object, const char* field) const {
  const Json* found = find(object, field);
  return found != nullptr && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::optional<double> ReadRecord::decimal(const char* object, const char* field) const {
  const Json* found = find(object, field);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

bool ReadRecord::is(const char* field, std::string_view value) const {
  return text(field) == value;
}

Result<RecordFilter, AuditFault> RecordFilter::from(const AuditQuery& query,
                                                    chr::system_clock::time_point now) {
  RecordFilter filter;
  filter.sandbox_ = query.sandbox;
  filter.denied_ = query.denied;
  if (query.since) {
    const auto since = since_text(*query.since, now);
    if (!since) {
      return AuditFault{"--since " + shown(*query.since) +
                        ": not a time; write 2026-01-02T03:04:05Z, 2026-01-02, 90s, 10m, 2h or 3d"};
    }
    filter.since_ = *since;
  }
  return filter;
}

bool RecordFilter::wants(const ReadRecord& record) const {
  if (sandbox_ && !record.is("sandbox", *sandbox_)) return false;
  if (!since_.empty() && record.text("time") < since_) return false;
  return !denied_ || record.is("decision", "deny");
}

std::optional<std::string> since_text(std::string_view text, chr::system_clock::time_point now) {
  std::optional<chr::system_clock::time_point> time = parse_rfc3339(text);
  if (!time) {
    const auto age = parse_age(text);
    if (!age) return std::nullopt;
    time = now - *age;
  }
  std::string out;
  append_time(*time, out);
  return out;
}

std::string shown(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    if (length == 1 || i + length > utf8.size()) {
      append_json_escaped(utf8.substr(i, 1), JsonQuotes::hex, field_bytes_max, out);
      ++i;
      continue;
    }
    unsigned point = byte & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      point = (point << 6U) | (static_cast<unsigned char>(utf8[i + k]) & 0x3fU);
    }
    std::array<char, 16> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04x", point);
    out += escape.data();
    i += length;
  }
  return out;
}

}  // namespace egret
