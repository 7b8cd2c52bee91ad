// Checks the chains of an audit file, one record after the other (`egret audit verify`).
//
// What it can show: a line that was edited, removed, inserted or moved, and a gate that ended
// without a stop record. What no chain can show by itself: that the last records of a chain are
// missing, or that its very last one was edited; keep a copy of a chain's last hash elsewhere where
// that matters.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "proxy/audit/chain.h"
#include "proxy/audit/read_record.h"

namespace egret {

enum class BreakKind : std::uint8_t { edited, removed, inserted, out_of_order };
std::string_view name(BreakKind kind);

struct ChainBreak {
  BreakKind kind;
  unsigned slot = 0;
  std::size_t line = 0;
  std::string what;
};

// A gate that ended without saying so: killed, crashed, or the power went.
struct Cut {
  unsigned slot = 0;
  std::uint64_t seq = 0;  // of its last record
  std::size_t line = 0;   // where that stands
  std::size_t open = 0;   // exchanges without an end
};

class Verifier {
 public:
  // One line of the file. The last may lack its newline.
  void line(std::string_view text, std::size_t number);
  // The end of the file; `writer_alive` says whether a slot is held by a running gate.
  template <class WriterAlive>
  void finish(WriterAlive writer_alive) {
    for (auto& [slot, chain] : chains_)
      end_of_chain(slot, chain, writer_alive(slot));
  }

  struct Span {  // one chain in this file
    std::size_t records = 0;
    std::uint64_t first_seq = 0, last_seq = 0;
  };
  std::size_t records() const { return records_; }
  const std::vector<ChainBreak>& breaks() const { return breaks_; }
  std::size_t breaks_left_out() const { return breaks_left_out_; }
  const std::vector<Cut>& cuts() const { return cuts_; }
  std::size_t torn() const { return torn_; }
  std::map<unsigned, Span> spans() const;

  static constexpr std::size_t breaks_max = 1000;

 private:
  enum class Gate : std::uint8_t { unknown, running, stopped };
  struct Gap {
    std::uint64_t last = 0;  // seq; the first is its key
    std::size_t before = 0;  // line behind the gap
  };
  struct State {
    Span span;
    std::size_t line = 0;           // of the last record in order
    std::uint64_t seq = 0;          // of that record
    Sha256Hex hash{};               // of that record
    std::optional<Sha256Hex> twin;  // of another record that claims the same seq
    std::size_t twin_line = 0;
    std::map<std::uint64_t, Gap> gaps;
    Gate gate = Gate::unknown;
    std::unordered_set<std::string> open;
  };

  void other_text(std::string_view text, std::size_t number);
  void record(const LineHead& head, std::size_t number);
  void first(State& chain, const LineHead& head, std::size_t number);
  void next(State& chain, const LineHead& head, std::size_t number);
  void behind(State& chain, const LineHead& head, std::size_t number);
  void meaning(unsigned slot, State& chain, const ReadRecord& record);
  void cut(unsigned slot, State& chain);
  void end_of_chain(unsigned slot, State& chain, bool writer_alive);
  void add_break(BreakKind kind, unsigned slot, std::size_t line, std::string what);

  std::map<unsigned, State> chains_;
  std::size_t records_ = 0, torn_ = 0, breaks_left_out_ = 0;
  std::vector<ChainBreak> breaks_;
  std::vector<Cut> cuts_;
};

}  // namespace egret
