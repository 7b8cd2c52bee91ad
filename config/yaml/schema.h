// A mapping's schema is a table of fields: key, whether it must be there, how its value is read
// into a T. One walker does what every mapping needs: type, unknown keys (with the nearest known
// one), repeated keys, empty values, missing keys. Fields are read in the order of their table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/yaml/node.h"
#include "config/yaml/problems.h"

namespace egret::yaml {

enum class Need : std::uint8_t { optional, required };
// Empty is an error wherever it could be taken for "all" or for a default.
enum class Empty : std::uint8_t { allowed, refused };

struct Key {
  std::string_view name;
  Need need;
};

template <class T, class Context>
struct Field {
  std::string_view key;
  Need need;
  void (*read)(Context& context, const Node& value, T& into);
};

// `name`, or `name`, `name` and `name`.
std::string listed(const std::vector<std::string>& names);
// The candidate most like the text, where one is near enough to be meant.
std::optional<std::string> nearest(std::string_view text,
                                   const std::vector<std::string>& candidates);
// "`web` is unknown" with what exists, and the nearest of it as a proposal.
void report_unknown(Problems& problems, Mark mark, std::string_view kind, std::string_view text,
                    const std::vector<std::string>& known);

// Key and value of a mapping without repeated, empty or unreadable ones (which are reported).
struct Pair {
  const Node* key;
  const Node* value;
};
std::vector<Pair> pairs_of(Problems& problems, const Node& node, std::string_view example);
// The value of each key, null where it is absent.
std::vector<const Node*> values_of(Problems& problems, const Node& node, std::span<const Key> keys,
                                   std::string_view example);

template <class T, class Context, std::size_t N>
void read_mapping(Context& context, const Node& node, const Field<T, Context> (&fields)[N],
                  std::string_view example, T& into) {
  std::vector<Key> keys;
  for (const auto& field : fields)
    keys.push_back({field.key, field.need});
  const std::vector<const Node*> values = values_of(context.problems, node, keys, example);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != nullptr) fields[i].read(context, *values[i], into);
  }
}

// Each reports what is wrong and returns nothing; `example` shows the right form.
std::span<const Node> list_of(Problems& problems, const Node& node, std::string_view example,
                              Empty empty);
const std::string* text_of(Problems& problems, const Node& node, std::string_view example);
std::optional<bool> truth_of(Problems& problems, const Node& node);
std::optional<int> integer_of(Problems& problems, const Node& node, int min, int max);

}  // namespace egret::yaml
