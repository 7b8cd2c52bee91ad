#include "proxy/audit/join.h"

#include <array>
#include <cstdio>
#include <utility>

namespace egret {
namespace {

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : shown(text);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
  return text.data();
}

// `2026-01-02T03:04:05.678Z`: milliseconds are enough for people.
std::string time_text(const ReadRecord& record) {
  std::string time = record.text("time");
  if (time.size() == 27) time.erase(23, 3);
  return padded(shown(time), 24);
}

std::string target_text(const ReadRecord& record) {
  const std::string scheme = record.text("target", "scheme");
  std::string host = record.text("target", "host");
  const std::string path = record.text("request", "path");
  if (host.empty()) {
    return or_dash(record.text("target", "address")) + (path.empty() ? "" : " " + shown(path));
  }
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  const std::uint64_t port = record.number("target", "port");
  std::string text = scheme + "://" + host;
  const bool usual = (scheme == "https" && port == 443) || (scheme == "http" && port == 80);
  if (!usual) text += ":" + std::to_string(port);
  return shown(text + path);
}

std::string secrets_text(const ReadRecord& record) {
  const auto found = record.json().find("secrets");
  std::string text;
  if (found == record.json().end() || !found->is_array()) return text;
  for (const auto& use : *found) {
    if (!use.is_object()) continue;
    const auto part = [&use](const char* field) {
      const auto at = use.find(field);
      return at != use.end() && at->is_string() ? shown(at->get<std::string>()) : "?";
    };
    text += (text.empty() ? "  secret " : ", ") + part("name") + "@" + part("in");
  }
  return text;
}

std::string front(const ReadRecord& record) {
  return time_text(record) + "  " + padded(or_dash(record.text("sandbox")), 12) + "  ";
}

// What every kind of line has: method, status, where to, why.
std::string middle(std::string method, std::string status, std::string where,
                   const ReadRecord& record) {
  std::string text = "  " + padded(std::move(method), 7) + "  " + padded(std::move(status), 4) +
                     "  " + std::move(where);
  const std::string reason = record.text("reason");
  const std::string rule = record.text("rule");
  if (!reason.empty()) text += "  " + shown(reason);
  if (!rule.empty()) text += (reason == "rule" ? " " : " by ") + shown(rule);
  const std::string alarm = record.text("alarm");
  if (!alarm.empty()) text += "  ALARM " + shown(alarm);
  return text;
}

std::string method_of(const ReadRecord& record) {
  return record.is("event", "connection") ? "tunnel" : or_dash(record.text("request", "method"));
}

std::string end_text(const ReadRecord& end) {
  std::string text = "  up " + size_text(end.number("bytes", "up")) + " down " +
                     size_text(end.number("bytes", "down"));
  if (const auto total = end.decimal("ms", "total")) {
    std::array<char, 40> ms{};
    std::snprintf(ms.data(), ms.size(), "  %.1f ms", *total);
    text += ms.data();
  }
  if (const auto redactions = end.number("redactions")) {
    text += "  " + std::to_string(redactions) + " redacted";
  }
  const std::string error = end.text("error");
  if (!error.empty()) text += "  error " + shown(error);
  return text;
}

std::string status_of(const ReadRecord& record) {
  const std::uint64_t status = record.number("status");
  return status == 0 ? "-" : std::to_string(status);
}

}  // namespace

std::string text_of(const ShownLine& line, bool colour) {
  std::string decision = padded(line.decision, 5);
  if (colour && line.decision == "allow") decision = "\x1b[32m" + decision + "\x1b[0m";
  if (colour && line.decision == "deny") decision = "\x1b[31m" + decision + "\x1b[0m";
  return line.before + decision + line.after + "\n";
}

void Join::add(const ReadRecord& record) {
  if (record.is("event", "response") || record.has("end")) {
    end(record);
  } else if (record.is("event", "gate")) {
    gate(record);
  } else if (record.is("event", "dns")) {
    if (!filter_.wants(record)) return;
    const std::string answer = record.text("answer");
    std::string after =
        middle("dns", "-",
               or_dash(record.text("query", "name")) + " " + or_dash(record.text("query", "type")),
               record);
    if (!answer.empty()) after += "  answered " + shown(answer);
    emit_({front(record), shown(record.text("decision")), after});
  } else {
    start(record);
  }
}

void Join::start(const ReadRecord& record) {
  Half half{record, filter_.wants(record)};
  if (!record.is("decision", "allow")) {
    if (!half.wanted) return;
    const std::string detail = record.text("detail");
    emit_({front(record), shown(record.text("decision")),
           middle(method_of(record), status_of(record), target_text(record), record) +
               secrets_text(record) + (detail.empty() ? "" : "  " + shown(detail))});
    return;
  }
  if (open_.size() >= open_max) {
    emit_half(open_.begin()->second, "open");
    by_id_.erase(open_.begin()->second.record.text("id"));
    open_.erase(open_.begin());
  }
  by_id_[record.text("id")] = next_;
  open_.emplace(next_++, std::move(half));
}

void Join::end(const ReadRecord& record) {
  const auto known = by_id_.find(record.text("id"));
  if (known == by_id_.end()) {
    // Its beginning stands in an earlier file.
    if (!filter_.wants(record)) return;
    emit_({front(record), "end",
           middle("-", status_of(record), "id " + or_dash(record.text("id")), record) +
               end_text(record)});
    return;
  }
  const auto half = open_.find(known->second);
  const ReadRecord& begin = half->second.record;
  if (half->second.wanted) {
    emit_({front(begin), "allow",
           middle(method_of(begin), status_of(record), target_text(begin), begin) +
               secrets_text(begin) + end_text(record)});
  }
  open_.erase(half);
  by_id_.erase(known);
}

void Join::gate(const ReadRecord& record) {
  const std::string what = record.text("what");
  if (what == "start") cut(static_cast<unsigned>(record.number("w")));
  if (!filter_.wants(record)) return;
  std::string after = "  " + shown(what);
  const std::string detail = record.text("detail");
  if (!detail.empty()) after += "  " + shown(detail);
  if (const auto count = record.number("count")) after += "  " + std::to_string(count);
  emit_({front(record), "gate", after});
}

void Join::emit_half(const Half& half, std::string_view state) {
  if (!half.wanted) return;
  emit_({front(half.record), "allow",
         middle(method_of(half.record), std::string(state), target_text(half.record), half.record) +
             secrets_text(half.record)});
}

void Join::cut(unsigned slot) {
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.record.number("w") != slot) {
      ++at;
      continue;
    }
    emit_half(at->second, "cut");
    by_id_.erase(at->second.record.text("id"));
    at = open_.erase(at);
  }
}

void Join::finish(const std::function<bool(unsigned)>& writer_alive) {
  for (const auto& [order, half] : open_) {
    const bool alive = writer_alive(static_cast<unsigned>(half.record.number("w")));
    emit_half(half, alive ? "open" : "cut");
  }
  open_.clear();
  by_id_.clear();
}

}  // namespace egret
