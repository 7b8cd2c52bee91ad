// Finds and replaces fixed byte strings in a stream, in pieces of any size, in constant memory: what
// may be the beginning of a needle is held back, everything else leaves at once (ATTACKS F03, F07,
// F14, F20). One left-to-right pass, longest match, inserted text is never looked at again.
// The same mechanism substitutes placeholders in request bodies, redacts secrets in responses, and
// watches for placeholders where none may be.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/secret/secret.h"

namespace egret {

// What to look for, compiled once per snapshot and shared between streams and threads.
class Needles {
 public:
  struct Entry {
    std::string find;
    std::string replace;
    std::size_t id = 0;  // the caller's
  };
  explicit Needles(std::vector<Entry> entries);
  ~Needles();  // wipes: needles may be secrets
  Needles(const Needles&) = delete;
  Needles& operator=(const Needles&) = delete;

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  // Every replacement is as long as what it replaces: a Content-Length stays true.
  bool keeps_length() const { return keeps_length_; }
  std::size_t longest() const { return longest_; }

 private:
  friend class StreamReplacer;
  std::vector<Entry> entries_;  // longest first
  bool keeps_length_ = true;
  std::size_t longest_ = 0;
  std::string common_;  // bytes that every needle holds at the same offset, for one fast scan; may be empty
  std::size_t common_offset_ = 0;
};

class StreamReplacer {
 public:
  // An empty or null set passes everything through.
  explicit StreamReplacer(std::shared_ptr<const Needles> needles);
  ~StreamReplacer();  // wipes what it holds back
  StreamReplacer(StreamReplacer&&) noexcept = default;

  // Appends to `out` what is settled. At most longest()-1 bytes are held back.
  void push(std::string_view in, std::string& out);
  // The stream has ended: what was held back is no needle.
  void finish(std::string& out);

  std::uint64_t replaced() const { return replaced_; }
  // How often each entry was found, by the entry's id; empty until the first hit.
  const std::vector<std::size_t>& hit_ids() const { return hit_ids_; }

 private:
  std::shared_ptr<const Needles> needles_;
  std::string held_;
  std::uint64_t replaced_ = 0;
  std::vector<std::size_t> hit_ids_;
};

// The whole text at once.
std::string replace_all(const std::shared_ptr<const Needles>& needles, std::string_view text,
                        std::uint64_t& replaced);

}  // namespace egret
