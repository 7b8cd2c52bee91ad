// Joins the two halves of an exchange into one line that a person can read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/audit/read_record.h"

namespace egret {

// A line without its decision's colour: what stands in front of the decision, it, and what follows.
struct ShownLine {
  std::string before, decision, after;
};
std::string text_of(const ShownLine& line, bool colour);

// Holds the exchanges that have not ended, and no others; at most open_max of them.
class Join {
 public:
  using Emit = std::function<void(const ShownLine&)>;
  Join(RecordFilter filter, Emit emit) : filter_(std::move(filter)), emit_(std::move(emit)) {}

  void add(const ReadRecord& record);
  // The file is at its end: what is still open is shown so, or as cut where its writer is gone.
  void finish(const std::function<bool(unsigned slot)>& writer_alive);

  static constexpr std::size_t open_max = 65'536;

 private:
  struct Half {
    ReadRecord record;
    bool wanted;
  };
  void start(const ReadRecord& record);
  void end(const ReadRecord& record);
  void gate(const ReadRecord& record);
  void emit_half(const Half& half, std::string_view state);
  void cut(unsigned slot);

  RecordFilter filter_;
  Emit emit_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, Half> open_;  // in order of their start
  std::unordered_map<std::string, std::uint64_t> by_id_;
};

}  // namespace egret
