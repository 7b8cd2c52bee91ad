#include "proxy/audit/late.h"

#include "proxy/audit/json_text.h"

namespace egret {
namespace {

constexpr std::string_view error_text = "audit_unavailable";

// The escaped value of the first field `"key":"…"`. A quote inside a value is always escaped, so
// the mark cannot stand inside one.
std::string_view value_of(std::string_view body, std::string_view mark) {
  const auto at = body.find(mark);
  if (at == std::string_view::npos) return {};
  const auto rest = body.substr(at + mark.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

std::string closing_record(std::string_view body, AuditTime now) {
  if (value_of(body, "\"decision\":\"") != "allow") return {};
  const std::string_view event = value_of(body, "\"event\":\"");
  std::string end;
  if (event == "request") {
    ResponseRecord record;
    record.time = now;
    record.id = value_of(body, "\"id\":\"");
    record.sandbox = value_of(body, "\"sandbox\":\"");
    record.error = error_text;
    render(record, end);
  } else if (event == "connection" && body.find(",\"end\":true") == std::string_view::npos) {
    JsonText(end).time("time", now);
    end += body.substr(body.find(",\"event\""));
    end += R"(,"end":true,"bytes":{"up":0,"down":0},"ms":{"total":0.0},"error":")";
    end += error_text;
    end += '"';
  }
  return end;
}

}  // namespace egret
