#include "proxy/audit/verify.h"

#include <utility>

#include "proxy/audit/json_text.h"
#include "proxy/audit/slot.h"

namespace egret {
namespace {

constexpr std::string_view record_begin = "{\"v\":1,\"seq\":";

// The beginning of a record that a crash or a full disk cut off.
bool looks_torn(std::string_view text) {
  if (text.size() > record_bytes_max) return false;
  return text.starts_with(record_begin) || record_begin.starts_with(text);
}

std::string line_text(std::size_t number) {
  return "line " + std::to_string(number);
}
std::string seq_text(std::uint64_t seq) {
  return "seq " + std::to_string(seq);
}

}  // namespace

std::string_view name(BreakKind kind) {
  switch (kind) {
    case BreakKind::edited:
      return "edited";
    case BreakKind::removed:
      return "removed";
    case BreakKind::inserted:
      return "inserted";
    case BreakKind::out_of_order:
      return "out of order";
  }
  return "unknown";
}

void Verifier::line(std::string_view text, std::size_t number) {
  const LineParts parts = line_parts(text);
  if (!parts.rest.empty()) other_text(parts.rest, number);
  for (const LineHead& head : parts.records) {
    if (head.slot < writer_slots_max) {
      record(head, number);
    } else {
      add_break(BreakKind::inserted, head.slot, number,
                line_text(number) + " names writer " + std::to_string(head.slot) +
                    ", which no gate can be");
    }
  }
}

void Verifier::other_text(std::string_view text, std::size_t number) {
  if (line_head(text.substr(0, text.rfind('}') + 1))) {
    add_break(BreakKind::edited, 0, number, line_text(number) + " has text behind its record");
  } else if (looks_torn(text)) {
    ++torn_;
  } else {
    add_break(BreakKind::inserted, 0, number, line_text(number) + " holds text that is no record");
  }
}

void Verifier::record(const LineHead& head, std::size_t number) {
  ++records_;
  const bool known = chains_.contains(head.slot);
  State& chain = chains_[head.slot];
  ++chain.span.records;
  const auto parsed = ReadRecord::parse(head.text);
  if (!parsed) {
    add_break(BreakKind::edited, head.slot, number, line_text(number) + " is not valid JSON");
  }
  if (!known) {
    first(chain, head, number);
  } else if (head.seq <= chain.span.last_seq) {
    behind(chain, head, number);
    return;
  } else {
    next(chain, head, number);
  }
  if (parsed) meaning(head.slot, chain, *parsed);
  chain.line = number;
  chain.seq = head.seq;
}

void Verifier::first(State& chain, const LineHead& head, std::size_t number) {
  if (head.seq == 1 && head.prev != view(Chain().prev)) {
    add_break(BreakKind::edited, head.slot, number,
              line_text(number) + " (" + seq_text(1) + ") begins a chain with a hash in front");
  }
  chain.span.first_seq = chain.span.last_seq = head.seq;
  chain.hash = sha256_hex(head.text);
}

void Verifier::next(State& chain, const LineHead& head, std::size_t number) {
  const std::uint64_t expected = chain.span.last_seq + 1;
  if (head.seq > expected) {
    chain.gaps[expected] = Gap{head.seq - 1, number};
  } else if (head.prev == view(chain.hash)) {
    if (chain.twin) {
      add_break(
          BreakKind::inserted, head.slot, chain.twin_line,
          line_text(chain.twin_line) + " (" + seq_text(chain.span.last_seq) + ") was inserted");
    }
  } else if (chain.twin && head.prev == view(*chain.twin)) {
    add_break(BreakKind::inserted, head.slot, chain.line,
              line_text(chain.line) + " (" + seq_text(chain.span.last_seq) +
                  ") was inserted; the chain goes on from " + line_text(chain.twin_line));
  } else {
    add_break(BreakKind::edited, head.slot, chain.line,
              line_text(chain.line) + " (" + seq_text(chain.span.last_seq) +
                  ") was edited, or the hash in " + line_text(number) + " was");
  }
  chain.twin.reset();
  chain.span.last_seq = head.seq;
  chain.hash = sha256_hex(head.text);
}

// A record with a number that the chain has passed.
void Verifier::behind(State& chain, const LineHead& head, std::size_t number) {
  const std::string where = line_text(number) + " (" + seq_text(head.seq) + ")";
  auto gap = chain.gaps.upper_bound(head.seq);
  if (gap != chain.gaps.begin() && head.seq <= std::prev(gap)->second.last) {
    gap = std::prev(gap);
    const std::uint64_t first = gap->first;
    const Gap old = gap->second;
    chain.gaps.erase(gap);
    if (first < head.seq) chain.gaps[first] = Gap{head.seq - 1, old.before};
    if (head.seq < old.last) chain.gaps[head.seq + 1] = Gap{old.last, old.before};
    add_break(BreakKind::out_of_order, head.slot, number,
              where + " belongs in front of " + line_text(old.before));
    return;
  }
  if (head.seq == chain.span.last_seq && !chain.twin) {
    chain.twin = sha256_hex(head.text);
    chain.twin_line = number;
    return;
  }
  add_break(BreakKind::inserted, head.slot, number,
            where + " was inserted: the chain is already at " + seq_text(chain.span.last_seq));
}

// What the record says of the gate's life.
void Verifier::meaning(unsigned slot, State& chain, const ReadRecord& record) {
  const std::string event = record.text("event");
  if (event == "gate" && record.is("what", "start")) {
    if (chain.gate == Gate::running) cut(slot, chain);
    chain.gate = Gate::running;
  } else if (event == "gate" && record.is("what", "stop")) {
    chain.gate = Gate::stopped;
    chain.open.clear();
  } else if (chain.gate == Gate::unknown) {
    chain.gate = Gate::running;  // its start stands in an earlier file
  }
  if (event == "response" || record.has("end")) {
    chain.open.erase(record.text("id"));
  } else if ((event == "request" || event == "connection") && record.is("decision", "allow")) {
    chain.open.insert(record.text("id"));
  }
}

void Verifier::cut(unsigned slot, State& chain) {
  cuts_.push_back(Cut{slot, chain.seq, chain.line, chain.open.size()});
  chain.open.clear();
}

void Verifier::end_of_chain(unsigned slot, State& chain, bool writer_alive) {
  if (chain.twin) {
    add_break(BreakKind::inserted, slot, chain.twin_line,
              line_text(chain.twin_line) + " or " + line_text(chain.line) +
                  " was inserted: both are " + seq_text(chain.span.last_seq));
  }
  for (const auto& [first, gap] : chain.gaps) {
    const std::uint64_t count = gap.last - first + 1;
    add_break(BreakKind::removed, slot, gap.before,
              std::to_string(count) + (count == 1 ? " record" : " records") + " (" +
                  seq_text(first) + (count == 1 ? "" : " to " + std::to_string(gap.last)) +
                  ") removed in front of " + line_text(gap.before));
  }
  if (chain.gate == Gate::running && !writer_alive) cut(slot, chain);
}

void Verifier::add_break(BreakKind kind, unsigned slot, std::size_t line, std::string what) {
  if (breaks_.size() >= breaks_max) {
    ++breaks_left_out_;
    return;
  }
  breaks_.push_back(ChainBreak{kind, slot, line, std::move(what)});
}

std::map<unsigned, Verifier::Span> Verifier::spans() const {
  std::map<unsigned, Span> spans;
  for (const auto& [slot, chain] : chains_)
    spans[slot] = chain.span;
  return spans;
}

}  // namespace egret
