// `egret audit show` and `egret audit tail`.
#include <deque>
#include <ostream>
#include <thread>

#include "proxy/audit/chain.h"
#include "proxy/audit/join.h"
#include "proxy/audit/json_text.h"
#include "proxy/audit/line_source.h"
#include "proxy/audit/read_record.h"
#include "proxy/audit/reader.h"
#include "proxy/audit/slot.h"
#include "proxy/wire/json_string.h"

namespace egret {
namespace {

constexpr std::size_t tail_lines = 10;
constexpr off_t tail_bytes = 256 * 1024;
constexpr std::chrono::milliseconds poll_every{200};

// Every line that shall be printed, from either way of printing.
class Printer {
 public:
  Printer(const AuditQuery& query, RecordFilter filter, std::function<void(std::string)> put)
      : json_(query.json),
        filter_(filter),
        join_(std::move(filter),
              [put, colour = query.colour](const ShownLine& line) { put(text_of(line, colour)); }),
        put_(put) {}

  void line(std::string_view text) {
    // The torn beginning of another writer's record may stand in front.
    for (const LineHead& head : line_parts(text).records)
      record(head.text);
  }

  void finish(int fd) {
    if (!json_) join_.finish([fd](unsigned slot) { return slot_held(fd, slot); });
  }

 private:
  void record(std::string_view text) {
    const auto record = ReadRecord::parse(text);
    if (!record) return;
    if (!json_) {
      join_.add(*record);
    } else if (filter_.wants(*record)) {
      put_(unchanged(text) + "\n");
    }
  }

  // As written by a gate it is printable ASCII; a forged line must not reach a terminal raw.
  static std::string unchanged(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c >= 0x20 && c <= 0x7e) {
        out += c;
      } else {
        append_json_escaped({&c, 1}, JsonQuotes::hex, field_bytes_max, out);
      }
    }
    return out;
  }

  bool json_;
  RecordFilter filter_;
  Join join_;
  std::function<void(std::string)> put_;
};

}  // namespace

Result<std::size_t, AuditFault> audit_show(const AuditQuery& query, std::ostream& out) {
  auto filter = RecordFilter::from(query, std::chrono::system_clock::now());
  if (!filter) return filter.error();
  auto source = LineSource::open(query.file);
  if (!source) return source.error();
  std::size_t printed = 0;
  Printer printer(query, *filter, [&](const std::string& text) {
    out << text;
    ++printed;
  });
  while (const auto line = source->next())
    printer.line(line->text);
  if (const auto line = source->rest()) printer.line(line->text);
  printer.finish(source->fd());
  return printed;
}

Result<std::size_t, AuditFault> audit_tail(const AuditQuery& query, std::ostream& out,
                                           const std::function<bool()>& stop) {
  auto filter = RecordFilter::from(query, std::chrono::system_clock::now());
  if (!filter) return filter.error();
  auto source = LineSource::open(query.file);
  if (!source) return source.error();
  std::size_t printed = 0;
  bool following = false;
  std::deque<std::string> last;
  const auto print = [&](const std::string& text) {
    out << text;
    ++printed;
  };
  Printer printer(query, *filter, [&](const std::string& text) {
    if (following) return print(text);
    last.push_back(text);
    if (last.size() > tail_lines) last.pop_front();
  });
  source->skip_to(source->size() - tail_bytes);
  while (const auto line = source->next())
    printer.line(line->text);
  for (const std::string& text : last)
    print(text);
  following = true;
  out.flush();
  while (!stop()) {
    do {
      while (const auto line = source->next())
        printer.line(line->text);
    } while (source->follow());
    out.flush();
    std::this_thread::sleep_for(poll_every);
  }
  return printed;
}

}  // namespace egret
