// One audit record as typed values, and its rendering to one JSON line (DESIGN part 6). The order
// of fields is fixed; what is unknown is absent; bytes of the agent outside 0x20-0x7e are escaped
// as \u00XX; a field is cut at 2 KiB. `seq`, `time` order and `prev` are put on by the writer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decide/reason.h"
#include "policy/target/target.h"

namespace egret {

enum class Capture : std::uint8_t { netns, connect, forward, socks5, unix_socket, redirect };
std::string_view name(Capture capture);  // netns connect forward socks5 unix redirect

enum class AuditDecision : std::uint8_t { allow, deny };

struct SecretUse {
  std::string name;
  std::string in;  // `header:authorization`, `query:key`, `path`, `body`
  unsigned count = 0;
};

using AuditTime = std::chrono::system_clock::time_point;

// Views are borrowed for the call that renders them.
struct RequestRecord {
  AuditTime time;
  std::string_view id, connection, sandbox;
  Capture capture{};
  AuditDecision decision{};
  Reason reason{};
  std::string_view rule;
  const Target* target = nullptr;  // absent where the target could not be read
  std::string_view address;        // the dialled or original address, where known
  std::string_view method, path;   // path without its query
  std::string_view version;        // `1.0`, `1.1`, `2`
  std::vector<SecretUse> secrets;
  int status = 0;          // denied exchanges only
  std::string_view alarm;  // `foreign_placeholder` and the like
};

struct ResponseRecord {
  std::vector<SecretUse> secrets;  // put into the body
  AuditTime time;
  std::string_view id, sandbox;
  int status = 0;  // 0: none was received
  std::uint64_t bytes_up = 0, bytes_down = 0;
  std::uint64_t redactions = 0;
  std::optional<double> connect_ms, first_byte_ms;
  double total_ms = 0;
  std::string_view address;  // the dialled address
  std::string_view error;    // a Reason's name or a constant; empty where all went well
  std::uint64_t frames_up = 0, frames_down = 0;  // WebSocket
};

// A connection refused before any request, or a tunnel (then twice, the second time with `end`).
struct ConnectionRecord {
  AuditTime time;
  std::string_view id, sandbox;
  Capture capture{};
  AuditDecision decision{};
  Reason reason{};
  std::string_view rule;
  const Target* target = nullptr;
  std::string_view address;
  bool end = false;
  std::uint64_t bytes_up = 0, bytes_down = 0;
  double total_ms = 0;
  std::string_view error;
  std::string_view detail;  // e.g. the client's TLS alert, as a constant
};

struct DnsRecord {
  AuditTime time;
  std::string_view sandbox;
  std::string_view name, type;  // agent bytes; escaped when rendered
  AuditDecision decision{};
  Reason reason{};
  std::string_view rule;
  std::string_view answer;  // synthetic address, or empty
};

struct GateRecord {
  AuditTime time;
  std::string_view
      what;  // start stop reload reload_failed attach detach limit suppressed recovered
  std::string_view sandbox;
  std::string_view detail;  // constant or canonical text
  std::uint64_t count = 0;
};

// The body of a line: everything between `"seq":N,` and `,"prev"`. Appended to `out`.
void render(const RequestRecord& record, std::string& out);
void render(const ResponseRecord& record, std::string& out);
void render(const ConnectionRecord& record, std::string& out);
void render(const DnsRecord& record, std::string& out);
void render(const GateRecord& record, std::string& out);

}  // namespace egret
