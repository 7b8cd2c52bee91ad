// The stream replacer: in pieces it does what the plain loop does at once.
#include <memory>
#include <string>
#include <vector>

#include "policy/secret/placeholder.h"
#include "policy/secret/replacer.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

// Left to right, the longest needle, inserted text never looked at again.
std::string replaced_plainly(const std::vector<Needles::Entry>& entries, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Needles::Entry* best = nullptr;
    for (const auto& entry : entries) {
      if (text.starts_with(entry.find) &&
          (best == nullptr || entry.find.size() > best->find.size())) {
        best = &entry;
      }
    }
    out += best != nullptr ? std::string_view(best->replace) : text.substr(0, 1);
    text.remove_prefix(best != nullptr ? best->find.size() : 1);
  }
  return out;
}

std::vector<Needles::Entry> read_entries(fuzz::Input& input) {
  std::vector<Needles::Entry> entries;
  for (std::size_t count = input.octet() % 5; count-- > 0;) {
    const std::uint8_t lengths = input.octet();
    std::string find(input.take(1 + lengths % 16));
    std::string replace(input.take(lengths / 16));
    const bool known = std::any_of(entries.begin(), entries.end(),
                                   [&find](const auto& entry) { return entry.find == find; });
    if (!find.empty() && !known)
      entries.push_back({std::move(find), std::move(replace), entries.size()});
  }
  return entries;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::vector<Needles::Entry> entries = read_entries(input);
  const std::size_t piece_bytes_max = 1 + input.octet() % 32;
  const std::string_view text = input.rest();
  const auto needles = std::make_shared<const Needles>(entries);
  const std::string expected = replaced_plainly(entries, text);
  std::uint64_t replaced = 0;
  require(replace_all(needles, text, replaced) == expected,
          "the whole is as the plain loop has it");
  StreamReplacer stream(needles);
  std::string out;
  fuzz::in_pieces(text, piece_bytes_max, [&](std::string_view piece) {
    stream.push(piece, out);
    return true;
  });
  stream.finish(out);
  require(out == expected, "the pieces are as the whole");
  require(stream.replaced() == replaced, "and counted alike");
  if (const auto found = find_placeholder(text)) {
    require(found->begin < found->end && found->end <= text.size(),
            "a placeholder lies in the text");
  }
  if (const auto placeholder = Placeholder::parse(text)) {
    require(placeholder->text() == text, "a placeholder is kept as it is");
  }
  return 0;
}
