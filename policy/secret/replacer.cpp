#include "policy/secret/replacer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace egret {
Needles::Needles(std::vector<Entry> entries) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].find.empty()) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return entries[a].find.size() > entries[b].find.size();
  });
  entries_.reserve(order.size());
  for (const std::size_t i : order) {
    keeps_length_ = keeps_length_ && entries[i].find.size() == entries[i].replace.size();
    const std::size_t find_bytes = entries[i].find.size();
    growth_ = std::max(growth_, (entries[i].replace.size() + find_bytes - 1) / find_bytes);
    entries_.push_back(std::move(entries[i]));
  }
  // A move leaves the bytes of short strings behind.
  for (Entry& entry : entries) {
    wipe(entry.find);
    wipe(entry.replace);
  }
  if (entries_.empty()) return;
  longest_ = entries_.front().find.size();
  shortest_ = entries_.back().find.size();
  build_shifts();
}

// Two neighbouring bytes as an index of the shift table.
std::size_t Needles::slot(char first, char second) {
  return (static_cast<std::size_t>(static_cast<unsigned char>(first)) << 4 ^
          static_cast<unsigned char>(second)) &
         (shift_slots - 1);
}

// Wu and Manber, "A fast algorithm for multi-pattern searching" (1994): a window of the shortest
// needle's length slides over the text; the pair of bytes at its end says how far it may jump.
void Needles::build_shifts() {
  for (const Entry& entry : entries_) {
    first_bytes_.set(static_cast<unsigned char>(entry.find.front()));
  }
  if (shortest_ < 2) return;
  const std::size_t furthest = std::min<std::size_t>(shortest_ - 1, 255);
  shifts_.fill(static_cast<std::uint8_t>(furthest));
  for (const Entry& entry : entries_) {
    for (std::size_t end = 2; end <= shortest_; ++end) {
      std::uint8_t& shift = shifts_[slot(entry.find[end - 2], entry.find[end - 1])];
      shift = static_cast<std::uint8_t>(std::min<std::size_t>(shift, shortest_ - end));
    }
  }
}

Needles::~Needles() {
  for (Entry& entry : entries_) {
    wipe(entry.find);
    wipe(entry.replace);
  }
  // It tells pairs of bytes that the needles hold.
  wipe_bytes(&shifts_, sizeof shifts_);
}

std::size_t Needles::next_candidate(std::string_view text, std::size_t at, End end) const {
  if (shortest_ >= 2) {
    while (at + shortest_ <= text.size()) {
      const std::size_t window_end = at + shortest_;
      const std::size_t shift = shifts_[slot(text[window_end - 2], text[window_end - 1])];
      if (shift == 0) return at;
      at += shift;
    }
    // Where the window no longer fits, only the beginning of a needle can stand.
    if (end == End::closed) return text.size();
  }
  while (at < text.size() && !may_begin(text[at]))
    ++at;
  return at;
}

Needles::Find Needles::look_at(std::string_view text, End end) const {
  for (const Entry& entry : entries_) {
    const std::string_view find = entry.find;
    if (find.front() != text.front()) continue;
    if (find.size() <= text.size()) {
      if (std::memcmp(find.data(), text.data(), find.size()) == 0) return {Found::match, &entry};
    } else if (end == End::open && std::memcmp(find.data(), text.data(), text.size()) == 0) {
      return {Found::undecided, nullptr};
    }
  }
  return {Found::nothing, nullptr};
}

StreamReplacer::StreamReplacer(std::shared_ptr<const Needles> needles)
    : needles_(std::move(needles)) {
  if (needles_ && needles_->empty()) needles_ = nullptr;
}

StreamReplacer::~StreamReplacer() {
  wipe(held_);
}

void StreamReplacer::push(std::string_view in, std::string& out) {
  if (!needles_) {
    out.append(in);
    return;
  }
  if (!held_.empty()) {
    const auto used = settle_seam(in, out);
    if (!used) return;
    in.remove_prefix(*used);
  }
  const std::size_t settled = settle(in, in.size(), Needles::End::open, out);
  hold(in.substr(settled));
}

void StreamReplacer::finish(std::string& out) {
  if (!held_.empty()) settle(held_, held_.size(), Needles::End::closed, out);
  held_.clear();
}

std::optional<std::size_t> StreamReplacer::settle_seam(std::string_view in, std::string& out) {
  const std::size_t held = held_.size();
  // With this much more, everything that is held can be decided.
  const std::string_view more = in.substr(0, needles_->longest() - 1);
  held_.append(more);
  const bool all = more.size() == in.size();
  const std::size_t limit = all ? held_.size() : held;
  const std::size_t settled = settle(held_, limit, Needles::End::open, out);
  if (settled < limit) {
    held_.erase(0, settled);
    return std::nullopt;
  }
  held_.clear();
  return settled - held;
}

// Settles what begins before `limit`. Returns where that ended: at the limit, or behind it after a
// match, or before it where the text ends within what may be a needle.
std::size_t StreamReplacer::settle(std::string_view text, std::size_t limit, Needles::End end,
                                   std::string& out) {
  std::size_t settled = 0;
  for (std::size_t at = needles_->next_candidate(text, 0, end); at < limit;
       at = needles_->next_candidate(text, at, end)) {
    const Needles::Find find = needles_->look_at(text.substr(at), end);
    if (find.found == Needles::Found::nothing) {
      ++at;
      continue;
    }
    out.append(text, settled, at - settled);
    if (find.found == Needles::Found::undecided) return at;
    out += find.entry->replace;
    count(find.entry->id);
    at += find.entry->find.size();
    settled = at;
  }
  if (settled < limit) out.append(text, settled, limit - settled);
  return std::max(settled, limit);
}

void StreamReplacer::hold(std::string_view text) {
  if (text.empty()) return;
  // Room for the seam too: growing later would leave a copy behind that nobody wipes.
  held_.reserve(2 * needles_->longest());
  held_.assign(text);
}

void StreamReplacer::count(std::size_t id) {
  ++replaced_;
  if (hit_ids_.size() <= id) hit_ids_.resize(id + 1);
  ++hit_ids_[id];
}

std::string replace_all(const std::shared_ptr<const Needles>& needles, std::string_view text,
                        std::uint64_t& replaced) {
  StreamReplacer replacer(needles);
  std::string out;
  out.reserve(text.size());
  replacer.push(text, out);
  replacer.finish(out);
  replaced += replacer.replaced();
  return out;
}

}  // namespace egret
