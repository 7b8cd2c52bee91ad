// Finds and replaces fixed byte strings in a stream, in pieces of any size, in constant memory:
// what may be the beginning of a needle is held back, everything else leaves at once (ATTACKS F03,
// F07, F14, F20). One left-to-right pass, longest match, inserted text is never looked at again.
// The same mechanism substitutes placeholders in request bodies, redacts secrets in responses, and
// watches for placeholders where none may be.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
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
    std::size_t id = 0;  // the caller's, small: it indexes StreamReplacer::hit_ids()
  };
  // Empty needles are dropped; of equal ones the first counts.
  explicit Needles(std::vector<Entry> entries);
  ~Needles();  // wipes: needles may be secrets
  Needles(const Needles&) = delete;
  Needles& operator=(const Needles&) = delete;

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  // Every replacement is as long as what it replaces: a Content-Length stays true.
  bool keeps_length() const { return keeps_length_; }
  std::size_t longest() const { return longest_; }
  // How many times longer a text can become, rounded up; at least 1.
  std::size_t growth() const { return growth_; }

 private:
  friend class StreamReplacer;
  enum class End { open, closed };  // may more text follow?
  enum class Found { nothing, match, undecided };
  struct Find {
    Found found;
    const Entry* entry;
  };
  static constexpr std::size_t shift_slots = 4096;

  static std::size_t slot(char first, char second);
  void build_shifts();
  bool may_begin(char c) const { return first_bytes_[static_cast<unsigned char>(c)]; }
  // The first place from `at` on where a needle may begin; the text's size where there is none.
  std::size_t next_candidate(std::string_view text, std::size_t at, End end) const;
  // The longest needle at the beginning of the text.
  Find look_at(std::string_view text, End end) const;

  std::vector<Entry> entries_;  // longest first
  bool keeps_length_ = true;
  std::size_t growth_ = 1;
  std::size_t longest_ = 0;
  std::size_t shortest_ = 0;
  std::bitset<256> first_bytes_;
  std::array<std::uint8_t, shift_slots> shifts_{};
};

class StreamReplacer {
 public:
  // An empty or null set passes everything through.
  explicit StreamReplacer(std::shared_ptr<const Needles> needles);
  ~StreamReplacer();  // wipes what it holds back
  StreamReplacer(StreamReplacer&&) noexcept = default;

  // Appends to `out` what is settled. At most longest()-1 bytes are held back.
  void push(std::string_view in, std::string& out);
  // The stream has ended: no longer needle can follow in what was held back.
  void finish(std::string& out);

  std::uint64_t replaced() const { return replaced_; }
  // How often each entry was found, by the entry's id; empty until the first hit. Ids are small.
  const std::vector<std::size_t>& hit_ids() const { return hit_ids_; }

 private:
  std::size_t settle(std::string_view text, std::size_t limit, Needles::End end, std::string& out);
  // Settles the place where the held bytes meet the new ones; says how many of those it used up,
  // or nothing where all of them are held now.
  std::optional<std::size_t> settle_seam(std::string_view in, std::string& out);
  void hold(std::string_view text);
  void count(std::size_t id);

  std::shared_ptr<const Needles> needles_;
  std::string held_;
  std::uint64_t replaced_ = 0;
  std::vector<std::size_t> hit_ids_;
};

// The whole text at once.
std::string replace_all(const std::shared_ptr<const Needles>& needles, std::string_view text,
                        std::uint64_t& replaced);

}  // namespace egret
