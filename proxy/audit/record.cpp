#include "proxy/audit/record.h"

#include "proxy/audit/json_text.h"

namespace egret {
namespace {

constexpr std::size_t secret_bytes_max = 256;

std::string_view name(AuditDecision decision) {
  return decision == AuditDecision::allow ? "allow" : "deny";
}

JsonText begin(std::string& out, AuditTime time, std::string_view event) {
  out.reserve(out.size() + 768);
  JsonText json(out);
  json.time("time", time);
  json.text("event", event);
  return json;
}

void put_decision(JsonText& json, AuditDecision decision, Reason reason, std::string_view rule) {
  json.text("decision", name(decision));
  json.text("reason", name(reason));
  json.text("rule", rule);
}

void put_target(JsonText& json, const Target* target, std::string_view address) {
  if (target == nullptr && address.empty()) return;
  json.open("target", '{');
  if (target != nullptr) {
    json.text("scheme", name(target->scheme));
    json.text("host", target->host.text());
    json.number("port", target->port);
  }
  json.text("address", address);
  json.close('}');
}

void put_bytes(JsonText& json, std::uint64_t up, std::uint64_t down) {
  json.open("bytes", '{');
  json.number("up", up);
  json.number("down", down);
  json.close('}');
}

void put_request(JsonText& json, const RequestRecord& record) {
  if (record.method.empty() && record.path.empty() && record.version.empty()) return;
  json.open("request", '{');
  json.text("method", record.method);
  // A query may hold what nobody should keep; the caller leaves it out, and so do we.
  json.text("path", record.path.substr(0, record.path.find('?')));
  json.text("version", record.version);
  json.close('}');
}

void put_secrets(JsonText& json, const std::vector<SecretUse>& secrets) {
  if (secrets.empty()) return;
  std::size_t left = secrets.size();
  json.open("secrets", '[');
  for (const SecretUse& use : secrets) {
    if (json.room() < 2 * secret_bytes_max) break;
    json.open('{');
    json.text("name", use.name, secret_bytes_max);
    json.text("in", use.in, secret_bytes_max);
    json.number("count", use.count);
    json.close('}');
    --left;
  }
  json.close(']');
  if (left > 0) json.number("secrets_len", secrets.size());
}

}  // namespace

std::string_view name(Capture capture) {
  switch (capture) {
    case Capture::netns:
      return "netns";
    case Capture::connect:
      return "connect";
    case Capture::forward:
      return "forward";
    case Capture::socks5:
      return "socks5";
    case Capture::unix_socket:
      return "unix";
    case Capture::redirect:
      return "redirect";
  }
  return "unknown";
}

void render(const RequestRecord& record, std::string& out) {
  JsonText json = begin(out, record.time, "request");
  json.text("id", record.id);
  json.text("connection", record.connection);
  json.text("sandbox", record.sandbox);
  json.text("capture", name(record.capture));
  put_decision(json, record.decision, record.reason, record.rule);
  put_target(json, record.target, record.address);
  put_request(json, record);
  put_secrets(json, record.secrets);
  if (record.decision == AuditDecision::deny && record.status > 0) {
    json.number("status", static_cast<std::uint64_t>(record.status));
  }
  json.text("alarm", record.alarm);
}

void render(const ResponseRecord& record, std::string& out) {
  JsonText json = begin(out, record.time, "response");
  json.text("id", record.id);
  json.text("sandbox", record.sandbox);
  if (record.status > 0) json.number("status", static_cast<std::uint64_t>(record.status));
  put_bytes(json, record.bytes_up, record.bytes_down);
  json.number("redactions", record.redactions);
  json.open("ms", '{');
  if (record.connect_ms) json.decimal("connect", *record.connect_ms);
  if (record.first_byte_ms) json.decimal("first_byte", *record.first_byte_ms);
  json.decimal("total", record.total_ms);
  json.close('}');
  json.text("error", record.error);
  json.text("address", record.address);
  put_secrets(json, record.secrets);
  if (record.frames_up == 0 && record.frames_down == 0) return;
  json.open("frames", '{');
  json.number("up", record.frames_up);
  json.number("down", record.frames_down);
  json.close('}');
}

void render(const ConnectionRecord& record, std::string& out) {
  JsonText json = begin(out, record.time, "connection");
  json.text("id", record.id);
  json.text("sandbox", record.sandbox);
  json.text("capture", name(record.capture));
  put_decision(json, record.decision, record.reason, record.rule);
  put_target(json, record.target, record.address);
  json.text("detail", record.detail);
  if (!record.end) return;
  json.truth("end");
  put_bytes(json, record.bytes_up, record.bytes_down);
  json.open("ms", '{');
  json.decimal("total", record.total_ms);
  json.close('}');
  json.text("error", record.error);
}

void render(const DnsRecord& record, std::string& out) {
  JsonText json = begin(out, record.time, "dns");
  json.text("sandbox", record.sandbox);
  put_decision(json, record.decision, record.reason, record.rule);
  json.open("query", '{');
  json.text("name", record.name);
  json.text("type", record.type);
  json.close('}');
  json.text("answer", record.answer);
}

void render(const GateRecord& record, std::string& out) {
  JsonText json = begin(out, record.time, "gate");
  json.text("what", record.what);
  json.text("sandbox", record.sandbox);
  json.text("detail", record.detail);
  if (record.count > 0) json.number("count", record.count);
}

}  // namespace egret
