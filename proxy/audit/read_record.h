// A record as read back from its line, and text of it made fit for a terminal.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "policy/result.h"
#include "proxy/audit/log.h"
#include "proxy/audit/reader.h"

namespace egret {

class ReadRecord {
 public:
  // Nothing where the line holds no record of version 1.
  static std::optional<ReadRecord> parse(std::string_view line);

  // Text of a field, or of a field in an object; empty where it is absent or of another type.
  std::string text(const char* field) const;
  std::string text(const char* object, const char* field) const;
  // 0 where absent.
  std::uint64_t number(const char* field) const;
  std::uint64_t number(const char* object, const char* field) const;
  std::optional<double> decimal(const char* object, const char* field) const;
  bool has(const char* field) const { return json_.contains(field); }
  bool is(const char* field, std::string_view value) const;
  const nlohmann::json& json() const { return json_; }

 private:
  explicit ReadRecord(nlohmann::json json) : json_(std::move(json)) {}
  const nlohmann::json* find(const char* object, const char* field) const;

  nlohmann::json json_;
};

// Which records a query asks for; `since` made absolute.
class RecordFilter {
 public:
  static Result<RecordFilter, AuditFault> from(const AuditQuery& query,
                                               std::chrono::system_clock::time_point now);
  bool wants(const ReadRecord& record) const;

 private:
  std::optional<std::string> sandbox_;
  std::string since_;  // `2026-01-02T03:04:05.678901Z`; such text sorts as time does
  bool denied_ = false;
};

// RFC 3339, a date, or an age such as `90s 10m 2h 3d`, as the text of a record's time.
std::optional<std::string> since_text(std::string_view text,
                                      std::chrono::system_clock::time_point now);

// Every byte that is not printable ASCII escaped as in the file, code points over 255 as \uXXXX.
std::string shown(std::string_view utf8);

}  // namespace egret
